"""Where the files of a checkpoint are: the LLM's folder, the speech encoder, and the unit vocoder.

FOLDER/             config.json, generation_config.json, tokenizer.json, model.safetensors or shards with their index
<speech_encoder>    as config.json names it, usually models/speech_encoder/large-v3.pt
vocoder/            g_00500000, config.json
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni.config import EncoderContext
from firstpacket.pipelines.models import hub
from firstpacket.pipelines.models.tensors import read_json

PUBLISHED_ENCODER = "models/speech_encoder/large-v3.pt"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one model. `source` is what reports call the checkpoint."""

    checkpoint: Path
    source: str
    encoder: Path | None
    """An openai-whisper `.pt`, or a folder in transformers' layout; None if there is neither."""
    encoder_looked_for: tuple[Path, ...]
    vocoder: Path
    origin: Literal["published", "demo"] = "published"


def demo(context: EncoderContext) -> Files:
    """The demo weights for an encoder context, written to the cache at first use. Raises `WeightsError`."""
    from firstpacket.pipelines.weights.layouts import exported

    found = exported("llama-omni-streaming" if context == "streaming" else "llama-omni")
    return replace(find(str(found.path)), source=found.source, origin="demo")


def find(weights: str, encoder: str = "", vocoder: str = "") -> Files:
    """Find the files of `weights`, a folder or a name on the Hugging Face hub.

    `encoder` and `vocoder` are paths; empty means what the checkpoint names, and `vocoder`, in the checkpoint's folder,
    next to it, or in the current folder as the published code has it; for the encoder also openai-whisper's own cache.
    Raises `WeightsError` or `MissingDependency`.
    """
    folder = hub.locate(weights)
    named = str(read_json(folder.path / "config.json").get("speech_encoder") or PUBLISHED_ENCODER)
    encoders = (
        (Path(encoder).expanduser(),)
        if encoder
        else (*_places(folder.path, named), _whisper_cache() / Path(named).name)
    )
    vocoders = (Path(vocoder).expanduser(),) if vocoder else _places(folder.path, "vocoder")
    found = _first(encoders)
    if encoder and found is None:
        raise WeightsError(f"encoder: no such file or folder: {encoder}. Pass a Whisper .pt file or folder.")
    return Files(
        checkpoint=folder.path,
        source=folder.source,
        encoder=found,
        encoder_looked_for=encoders,
        vocoder=_required(vocoders, folder.source),
    )


def _places(folder: Path, relative: str) -> tuple[Path, ...]:
    return tuple(base / relative for base in (folder, folder.resolve().parent, Path()))


def _whisper_cache() -> Path:
    """Where openai-whisper keeps what it downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def _first(candidates: tuple[Path, ...]) -> Path | None:
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _required(vocoders: tuple[Path, ...], source: str) -> Path:
    found = _first(vocoders)
    if found is None:
        raise WeightsError(
            f"The unit vocoder of {source} was not found: looked for {listed_paths(vocoders)}. Put its folder, with "
            "g_00500000 and config.json, in one of these places, or set the option vocoder=FOLDER."
        )
    return found


def listed_paths(paths: tuple[Path, ...]) -> str:
    """Paths for a message."""
    return ", ".join(str(path) for path in paths)
