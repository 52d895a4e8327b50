"""Compares the model with recorded answers of the published code.

    python -m firstpacket.pipelines.direct.llama_omni.parity DIR

DIR holds a checkpoint in the published layout (`checkpoint/`, what its config names, `vocoder/`) and what the reference
answered on it: `golden.safetensors` (tensors) and `golden.json` (ids, units, chunk borders). The checkpoint goes
through the ordinary loading code and the audio through the ordinary turn, on the CPU in float32; intermediate results
are captured by hooks. Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from firstpacket.bench.errors import BenchError, WeightsError
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import files
from firstpacket.pipelines.direct.llama_omni.checkpoint import Checkpoint
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.prompt import Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan, Turn
from firstpacket.pipelines.models.tensors import read_json

TOLERANCE = 1e-4
"""Largest difference allowed, as a share of the largest absolute value expected."""

CHUNK_UNITS = 10
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison: what was compared, whether it agrees, and by how much."""

    name: str
    holds: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok ' if self.holds else 'OFF'}  {self.name:<18} {self.detail}"


class Watch:
    """Collects what modules return (and what the LLM is given) while it is attached."""

    def __init__(self, model: LlamaOmni) -> None:
        self._outputs: dict[str, list[Tensor]] = {}
        self.prompt: Tensor | None = None
        watched = {
            "encoder": model.encoder,
            "adaptor": model.adaptor,
            "llm": model.llm,
            "speech_decoder": model.speech_decoder,
            "log_durations": model.vocoder.dur_predictor,
        }
        self._hooks = [self._attach(name, module) for name, module in watched.items()]

    def _attach(self, name: str, module: nn.Module) -> Any:
        def note(_: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
            if name == "llm" and self.prompt is None:
                self.prompt = given[0]
            self._outputs.setdefault(name, []).append(output)

        return module.register_forward_hook(note)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def all(self, name: str) -> Tensor:
        """Everything a module returned, joined in order."""
        return torch.cat(self._outputs[name])


class Golden:
    """The recorded answers of one folder."""

    def __init__(self, folder: Path) -> None:
        path = folder / "golden.safetensors"
        if not path.is_file():
            raise WeightsError(f"{path} not found. Pass the folder with checkpoint/ and golden.safetensors.")
        self.tensors: dict[str, Tensor] = load_file(path)
        self.json = read_json(folder / "golden.json")
        self.audio = self._needed("audio").numpy()
        self.input_ids: list[int] = self._needed("input_ids").flatten().tolist()
        self.gen_ids: list[int] = self._needed("gen_ids").flatten().tolist()

    def _needed(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise WeightsError(f"golden.safetensors has no tensor {name}, which the comparison needs.")
        return self.tensors[name]

    def exact(self, name: str, mine: Sequence[Any] | Tensor, in_json: str = "") -> Iterator[Line]:
        """Compare whole numbers with both records of them."""
        ours = torch.as_tensor(mine).flatten().tolist()
        records = {"safetensors": self.tensors.get(name), "json": self.json.get(in_json or name)}
        for kind, record in records.items():
            if record is None:
                continue
            theirs = torch.as_tensor(record).flatten().tolist()
            differing = sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
            yield Line(name, differing == 0, f"{differing} of {len(theirs)} differ ({kind})")

    def close(self, name: str, mine: Tensor) -> Iterator[Line]:
        """Compare a tensor within `TOLERANCE`; leading dimensions of 1 do not matter."""
        theirs = self.tensors.get(name)
        if theirs is None:
            return
        if mine.squeeze().shape != theirs.squeeze().shape:
            yield Line(name, False, f"shape {tuple(mine.shape)}, expected {tuple(theirs.shape)}")
            return
        if not theirs.numel():
            yield Line(name, True, "empty, as expected")
            return
        difference = float((mine.squeeze() - theirs.squeeze()).abs().max())
        largest = float(theirs.abs().max())
        yield Line(name, difference <= TOLERANCE * largest, f"max |a-b| {difference:.2e}, max |b| {largest:.3g}")


def compare(folder: Path) -> Iterator[Line]:
    """Run the model of `folder` and compare everything recorded. Raises `WeightsError` when it cannot be loaded."""
    golden = Golden(folder)
    model = Checkpoint(files.find(str(folder / "checkpoint"))).load(CPU, torch.float32).model
    yield from golden.close("mel", model.features(golden.audio).T)
    with Watch(model) as watch:
        turn, wave = _answer(model, golden, golden.gen_ids, frozenset(model.config.eos))
        yield from golden.close("encoder_out", watch.all("encoder"))
        yield from golden.close("speech_embeds", watch.all("adaptor"))
        if watch.prompt is not None:
            # The text before the speech was taken in ahead of the turn.
            head = Prompt(golden.input_ids, CPU).head(model.llm.embed)
            yield from golden.close("inputs_embeds", torch.cat((head, watch.prompt)))
        yield from golden.close("dec_hidden", watch.all("llm"))
        yield from golden.close("ctc_logits", watch.all("speech_decoder"))
        yield from golden.exact("ctc_pred", watch.all("speech_decoder").argmax(dim=-1))
    yield from golden.exact("gen_ids", turn.ids)
    yield from golden.exact("units", turn.chunker.units)
    yield from golden.exact("units_per_step", turn.units_after_token)
    yield from golden.exact("stream_chunks", turn.chunker.borders, in_json="chunks")
    yield from golden.close("stream_wav", wave)
    yield from _compare_offline(model, golden, turn.chunker.units)
    yield from _compare_early_end(model, golden)


def _answer(model: LlamaOmni, golden: Golden, expected: Sequence[int], eos: frozenset[int]) -> tuple[Turn, Tensor]:
    """An ordinary turn, and its packets joined.

    A model that runs past the recorded end is found out: replies may be as long as the record says (`max_new_tokens`
    in golden.json), or else one token longer than a record that ends with an end of sequence.
    """
    longest = golden.json.get("max_new_tokens", len(expected) + (expected[-1] in eos))
    plan = Plan(
        prompt=Prompt(golden.input_ids, CPU),
        choices=Choices(Sampling(), CPU),
        eos=eos,
        max_new_tokens=longest,
        chunk_units=CHUNK_UNITS,
    )
    turn = Assistant(model, plan).turn(Trace(MonotonicClock()))
    packets = [torch.from_numpy(packet.samples) for packet in turn.packets([golden.audio])]
    return turn, torch.cat(packets) if packets else torch.zeros(0)


@torch.inference_mode()
def _compare_offline(model: LlamaOmni, golden: Golden, units: list[int]) -> Iterator[Line]:
    """All units vocoded at once."""
    if not units:
        return
    with Watch(model) as watch:
        wave = model.vocoder(torch.tensor(units))
        log_durations = watch.all("log_durations")
    yield from golden.close("log_dur", log_durations)
    yield from golden.exact("dur", model.vocoder.durations(log_durations))
    yield from golden.close("wav", wave)


def _compare_early_end(model: LlamaOmni, golden: Golden) -> Iterator[Line]:
    """A second turn in which one of its own tokens is the only end of sequence."""
    if "eos_ids" not in golden.tensors:
        return
    ids: list[int] = golden.tensors["eos_ids"].flatten().tolist()
    with Watch(model) as watch:
        turn, _ = _answer(model, golden, ids, frozenset(ids[-1:]))
        yield from golden.exact("eos_ids", turn.ids)
        yield from golden.exact("eos_ctc", watch.all("speech_decoder").argmax(dim=-1))


def main() -> int:
    """Print a line per comparison; returns the exit status."""
    parser = argparse.ArgumentParser(prog="parity", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with checkpoint/, vocoder/ and golden.safetensors")
    off = 0
    try:
        for line in compare(parser.parse_args().folder):
            sys.stdout.write(f"{line}\n")
            off += not line.holds
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{off} off\n" if off else "all equal\n")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
