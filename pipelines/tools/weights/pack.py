"""From the folders of the training steps to the weights that are kept: each tensor once, in float16, with hashes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor

from firstpacket.bench.errors import MissingDependency, UnknownName, UsageError, WeightsError, explained
from firstpacket.pipelines.models import whisper_tokens
from firstpacket.pipelines.models.tensors import is_finite
from firstpacket.pipelines.tools.training import folders, loop
from firstpacket.pipelines.weights import store, whisper

STEPS = {
    "whisper": ("asr",),
    "llm": ("llm",),
    "direct": ("listening", "speaking"),
    "vocoder": ("units", "vocoder"),
    "streaming": ("streaming-encoder", "streaming-listening", "streaming-speaking"),
}
"""What each part is made of. Units are not trained: their step leaves only figures that are of use here."""
DECODER = "speech_generator."
PUBLISHED = {
    "architectures": ["OmniSpeech2SLlamaForCausalLM"],
    "model_type": "omni_speech2s_llama",
    "speech_encoder_type": "whisper",
    "speech_generator_type": "ctc",
    "speech_normalize": False,
    "speech_projector_type": "linear",
    "tokenizer_model_max_length": 2048,
}
"""What the published config.json says of the architecture."""

OF_TEACHER = ("speech_encoder", "dtype")
"""What the config.json of a streaming model says of the published one from which it was made."""
TOKENIZER = "tokenizer.json"

TRAINING = "training"
"""Beside the store: what each step was trained with, how its loss went and what it came to."""

MOST = 36 << 20
"""Bytes of all files together: what a repository can carry."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: the parts of the store, and its size in bytes."""

    parts: tuple[str, ...]
    size: int


def pack(work: Path, out: Path, only: Collection[str] = ()) -> Packed:
    """Write the store `out` from the steps in `work`.

    With `only` these parts are packed, and the store that is in `out` keeps its others as they are. Otherwise all are,
    without those that a store may lack and that were not trained.

    Raises `WeightsError` naming a step that is missing, or a tensor that float16 cannot hold; `UsageError` if a part
    does not exist, if `out` has nothing to keep, or if all together is too large.
    """
    for part in only:
        if part not in STEPS:
            raise UnknownName("part", part, STEPS)
    parts = tuple(part for part in STEPS if (part in only if only else _is_wanted(part, work)))
    missing = [step for part in parts for step in _missing(part, work)]
    if missing:
        raise WeightsError(
            f"{work} lacks {', '.join(missing)}. Run these steps first: "
            f"{' && '.join(f'bench train {step} --work {work}' for step in missing)}"
        )
    files = dict(_kept(out)) if only else {}
    for part in parts:
        files |= _MADE[part](work)
    if "streaming" in parts:
        _check_tokenizer(work / STEPS["streaming"][1] / TOKENIZER, files[TOKENIZER])
    size = sum(map(len, files.values()))
    if size > MOST:
        each = ", ".join(f"{name} {len(content) / 2**20:.1f}" for name, content in files.items())
        raise UsageError(
            f"The weights take {size / 2**20:.1f} MiB, more than {MOST >> 20}: {each}. Train smaller ones."
        )
    write(files, out)
    _keep_records(work, [step for part in parts for step in STEPS[part]], out / TRAINING)
    return Packed(store.opened(out).parts, size)


def _is_wanted(part: str, work: Path) -> bool:
    return part not in store.OPTIONAL or not _missing(part, work)


def _missing(part: str, work: Path) -> list[str]:
    return [step for step in STEPS[part] if step != "units" and not (work / step / folders.TENSORS).is_file()]


def _kept(out: Path) -> Mapping[str, bytes]:
    """The files of the store that is to be changed, checked."""
    if not (out / store.SUMS).is_file():
        raise UsageError(
            f"{out} contains no packed weights to which a part can be added. Copy the weights there first."
        )
    kept = store.opened(out)
    return kept.read(kept.digests).files


def _check_tokenizer(trained: Path, shared: bytes) -> None:
    """Raises `WeightsError` if a part was trained with other words than those that the store has."""
    own, other = (Tokenizer.from_buffer(content).get_vocab() for content in (_read(trained), shared))
    if own != other:
        raise WeightsError(
            f"{trained.parent} was trained with another tokenizer than the other parts have. Train it from the models "
            "of these weights, or pack all parts of one training."
        )


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write a store's files, the hashes last: a store that was half written is refused."""
    out.mkdir(parents=True, exist_ok=True)
    (out / store.SUMS).unlink(missing_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    sums = "".join(f"{folders.digest(out / name)}  {name}\n" for name in sorted(files))
    (out / store.SUMS).write_text(sums, encoding="ascii")


def _keep_records(work: Path, steps: Iterable[str], out: Path) -> None:
    """Figures and loss curve of every step, and of what it began with; units are not trained and have no curve."""
    out.mkdir(exist_ok=True)
    for step in steps:
        for name, kept in (
            (folders.FIGURES, f"{step}.json"),
            (loop.LOG, f"{step}.jsonl"),
            (f"beginning/{loop.LOG}", f"{step}-beginning.jsonl"),
        ):
            if (work / step / name).is_file():
                shutil.copyfile(work / step / name, out / kept)


def _whisper(work: Path) -> dict[str, bytes]:
    state = folders.tensors(work, "asr")
    state.pop(whisper.SINUSOIDS, None)
    ids = f"{whisper.EMBEDDING}ids"
    state[ids] = state[ids].to(torch.int32)
    published = whisper_tokens.published_file()
    if published is None:
        raise MissingDependency(
            "Packing needs Whisper's vocabulary from openai-whisper, which is not installed. Install it with: pip "
            "install openai-whisper"
        )
    return {**_part("whisper", state, folders.config(work, "asr")), "whisper.tiktoken": published.read_bytes()}


def _llm(work: Path) -> dict[str, bytes]:
    files = _part("llm", folders.tensors(work, "llm"), folders.config(work, "llm") | _ends(work))
    return {**files, TOKENIZER: _read(work / "llm" / TOKENIZER)}


def _direct(work: Path) -> dict[str, bytes]:
    decoder = {f"{DECODER}{name}": tensor for name, tensor in folders.tensors(work, "speaking").items()}
    state = {**folders.tensors(work, "listening"), **decoder}
    sizes = {**folders.config(work, "listening"), **folders.config(work, "speaking")}
    encoder = {"speech_encoder_hidden_size": folders.config(work, "asr")["state"]}
    return _part("direct", state, sizes | encoder | PUBLISHED | _ends(work))


def _streaming(work: Path) -> dict[str, bytes]:
    heard, answered, spoken = STEPS["streaming"]
    encoder = folders.tensors(work, heard)
    encoder.pop(whisper.SINUSOIDS)
    decoder = {f"{DECODER}{name}": tensor for name, tensor in folders.tensors(work, spoken).items()}
    state = {**encoder, **folders.tensors(work, answered), **decoder}
    sizes = folders.config(work, heard)
    config = {
        **folders.config(work, answered),
        **folders.config(work, spoken),
        **PUBLISHED,
        "speech_encoder_hidden_size": sizes["state"],
        "speech_encoder_context": "streaming",
        "encoder": sizes,
    }
    return _part("streaming", state, {name: value for name, value in config.items() if name not in OF_TEACHER})


def _ends(work: Path) -> dict[str, Any]:
    """What ends a reply."""
    generation = json.loads(_read(work / "llm" / "generation_config.json"))
    return {"eos_token_id": generation["eos_token_id"]}


def _read(path: Path) -> bytes:
    with explained(f"{path} cannot be read", "Train the step again.", WeightsError):
        return path.read_bytes()


def _vocoder(work: Path) -> dict[str, bytes]:
    return _part("vocoder", folders.tensors(work, "vocoder"), folders.config(work, "vocoder"))


_MADE: dict[str, Callable[[Path], dict[str, bytes]]] = {
    "whisper": _whisper,
    "llm": _llm,
    "direct": _direct,
    "vocoder": _vocoder,
    "streaming": _streaming,
}


def _part(name: str, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, bytes]:
    """A part's two files."""
    halved = {key: _half(f"{name}: {key}", tensor) for key, tensor in sorted(state.items())}
    written = json.dumps(config, indent=1, sort_keys=True) + "\n"
    return {f"{name}.safetensors": save(halved, {"format": "pt"}), f"{name}.json": written.encode()}


def _half(where: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half().contiguous()
    if not is_finite(half):
        raise WeightsError(f"{where} has values that are not finite in float16. Train the step again.")
    return half
