"""From the folders of the training steps to the weights that are kept: each tensor once, in float16, with hashes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from firstpacket.bench.errors import MissingDependency, UsageError, WeightsError, explained
from firstpacket.pipelines.models import whisper_tokens
from firstpacket.pipelines.models.tensors import is_finite
from firstpacket.pipelines.tools.training import folders, loop
from firstpacket.pipelines.weights import store, whisper

STEPS = ("asr", "llm", "listening", "speaking", "vocoder")
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

TRAINING = "training"
"""Beside the store: what each step was trained with, how its loss went and what it came to."""
TRAINED = ("asr", "llm", "listening", "units", "vocoder", "speaking")

MOST = 24 << 20
"""Bytes of all files together: what a repository can carry."""


def pack(work: Path, out: Path) -> int:
    """Write the store `out` from the steps in `work`; returns its size in bytes.

    Raises `WeightsError` naming a step that is missing, or a tensor that float16 cannot hold; `UsageError` if all
    together is too large.
    """
    missing = [step for step in STEPS if not (work / step / folders.TENSORS).is_file()]
    if missing:
        raise WeightsError(
            f"{work} lacks {', '.join(missing)}. Run these steps first: "
            f"{' && '.join(f'bench train {step} --work {work}' for step in missing)}"
        )
    files = {**_whisper(work), **_llm(work), **_direct(work), **_vocoder(work)}
    size = sum(map(len, files.values()))
    if size > MOST:
        each = ", ".join(f"{name} {len(content) / 2**20:.1f}" for name, content in files.items())
        raise UsageError(
            f"The weights take {size / 2**20:.1f} MiB, more than {MOST >> 20}: {each}. Train smaller ones."
        )
    write(files, out)
    _keep_records(work, out / TRAINING)
    return size


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write a store's files, the hashes last: a store that was half written is refused."""
    out.mkdir(parents=True, exist_ok=True)
    (out / store.SUMS).unlink(missing_ok=True)
    for name in store.FILES:
        (out / name).write_bytes(files[name])
    sums = "".join(f"{folders.digest(out / name)}  {name}\n" for name in sorted(store.FILES))
    (out / store.SUMS).write_text(sums, encoding="ascii")


def _keep_records(work: Path, out: Path) -> None:
    """Figures and loss curve of every step, and of what it began with; units are not trained and have no curve."""
    out.mkdir(exist_ok=True)
    for step in TRAINED:
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
    return {**files, "tokenizer.json": _read(work / "llm" / "tokenizer.json")}


def _direct(work: Path) -> dict[str, bytes]:
    decoder = {f"{DECODER}{name}": tensor for name, tensor in folders.tensors(work, "speaking").items()}
    state = {**folders.tensors(work, "listening"), **decoder}
    sizes = {**folders.config(work, "listening"), **folders.config(work, "speaking")}
    encoder = {"speech_encoder_hidden_size": folders.config(work, "asr")["state"]}
    return _part("direct", state, sizes | encoder | PUBLISHED | _ends(work))


def _ends(work: Path) -> dict[str, Any]:
    """What ends a reply."""
    generation = json.loads(_read(work / "llm" / "generation_config.json"))
    return {"eos_token_id": generation["eos_token_id"]}


def _read(path: Path) -> bytes:
    with explained(f"{path} cannot be read", "Train the step again.", WeightsError):
        return path.read_bytes()


def _vocoder(work: Path) -> dict[str, bytes]:
    return _part("vocoder", folders.tensors(work, "vocoder"), folders.config(work, "vocoder"))


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
