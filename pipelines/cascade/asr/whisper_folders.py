"""Where a recogniser's model is: a Whisper in one of its three layouts, given by its path or its published name.

    transformers   config.json, model.safetensors (or shards with their index), tokenizer.json; all engines read it
    ctranslate2    config.json, model.bin, tokenizer.json
    openai         one `.pt` file

Nothing is downloaded: a published name refers to a model already on this machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models import hub

Layout = Literal["transformers", "ctranslate2", "openai"]

SIZES = ("tiny", "base", "small", "medium")
PUBLISHED = (*SIZES, *(f"{size}.en" for size in SIZES), "large-v1", "large-v2", "large-v3", "large-v3-turbo")
OTHER_NAMES = {"large": "large-v3", "turbo": "large-v3-turbo"}
CONVERTED_ELSEWHERE = {"large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo"}
"""Converted to CTranslate2 by others than Systran, which published all the rest."""

LAYOUT_FILES: dict[Layout, tuple[str, ...]] = {
    "transformers": ("config.json", "tokenizer.json"),
    "ctranslate2": ("config.json", "model.bin", "tokenizer.json"),
    "openai": (),
}


SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
"""Whole or in shards. Weights in the older form, a pickle, are not read."""


@dataclass(frozen=True, slots=True)
class WhisperCheckpoint:
    """A Whisper: the folder or file, its layout, and what reports call it."""

    path: Path
    layout: Layout
    source: str

    def json(self, name: str) -> dict[str, Any]:
        """One of the folder's JSON files. Raises `WeightsError`."""
        return _json(self.path / name)


def find(model: str, engine: str, layouts: tuple[Layout, ...]) -> WhisperCheckpoint:
    """The Whisper that `model` names, in one of the layouts that `engine` reads (the preferred one first).

    Raises `WeightsError` saying what was found instead, or which command downloads the published model.
    """
    path = hub.here(model)
    if path is not None:
        return _readable(_inspected(path, model), engine, layouts)
    name = OTHER_NAMES.get(model, model)
    for place in _places(name, layouts):
        if place.exists():
            return _readable(_inspected(place, model), engine, layouts)
    raise WeightsError(_not_here(model, name, engine, layouts))


def _readable(found: WhisperCheckpoint, engine: str, layouts: tuple[Layout, ...]) -> WhisperCheckpoint:
    if found.layout not in layouts:
        raise WeightsError(
            f"{found.path} is a Whisper in {found.layout} layout, which the recogniser {engine} does not read. Use one "
            f"in the layout of {' or '.join(layouts)}."
        )
    lacking = [name for name in LAYOUT_FILES[found.layout] if not (found.path / name).is_file()]
    if found.layout == "transformers" and not any((found.path / name).is_file() for name in SAFETENSORS):
        lacking.append(SAFETENSORS[0])
    if lacking:
        raise WeightsError(
            f"The Whisper folder {found.path} is incomplete: missing {', '.join(lacking)}. Copy the files published "
            "with these weights into it."
        )
    return found


def _inspected(path: Path, source: str) -> WhisperCheckpoint:
    """Identify what is at that path. Raises `WeightsError` for anything but a Whisper."""
    if path.is_file():
        if path.suffix != ".pt":
            raise WeightsError(
                f"{path} is a file, but not an openai-whisper .pt file. Pass the model's folder instead."
            )
        return WhisperCheckpoint(path, "openai", source)
    if not (path / "config.json").is_file():
        holds = ", ".join(hub.names(path)[:5]) or "nothing"
        raise WeightsError(
            f"{path} is not a model folder: it has no config.json, only {holds}. Pass a Whisper folder, or the path "
            "of a .pt file."
        )
    config = _json(path / "config.json")
    kind = config.get("model_type") or config.get("model")
    if (path / "model.bin").is_file() and kind is None:
        return WhisperCheckpoint(path, "ctranslate2", source)
    if kind == "whisper":
        return WhisperCheckpoint(path, "transformers", source)
    what = f"contains a model of type '{kind}'" if kind else "has a config.json without a model_type"
    raise WeightsError(f"The folder {path} {what}, not a Whisper. Set asr-model to a Whisper folder.")


def _places(name: str, layouts: tuple[Layout, ...]) -> Iterator[Path]:
    """Where a published model is stored once downloaded."""
    if hub.HUB_NAME.fullmatch(name):
        yield from _in_hub_cache(name)
    elif name in PUBLISHED:
        for layout in layouts:
            if layout == "openai":
                yield _openai_cache() / f"{name}.pt"
            else:
                yield from _in_hub_cache(_repository(name, layout))


def _repository(name: str, layout: Layout) -> str:
    if layout == "transformers":
        return f"openai/whisper-{name}"
    return CONVERTED_ELSEWHERE.get(name, f"Systran/faster-whisper-{name}")


def _in_hub_cache(repository: str) -> Iterator[Path]:
    with suppress(ImportError):  # without the hub's library nothing can have been downloaded with it
        folder = hub.cached(repository)
        if folder is not None:
            yield folder.path


def _openai_cache() -> Path:
    """Where openai-whisper keeps its downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def _not_here(model: str, name: str, engine: str, layouts: tuple[Layout, ...]) -> str:
    if name in PUBLISHED:
        fetch = (
            f"python -c \"import whisper; whisper.load_model('{name}')\""
            if layouts[0] == "openai"
            else f"hf download {_repository(name, layouts[0])}"
        )
    elif hub.HUB_NAME.fullmatch(name):
        at = name.partition("@")
        fetch = f"hf download {at[0]}{f' --revision {at[2]}' if at[2] else ''}"
    else:
        return (
            f"asr-model: no such folder: {model}. Pass a Whisper folder, or a published name: {', '.join(PUBLISHED)}."
        )
    return (
        f"The recogniser's model '{model}' has not been downloaded, and nothing is downloaded during a run. With "
        f"network access, run: {fetch}. Or set asr-model to a folder that the recogniser {engine} can read."
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}. Download it again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object. Download it again.")
    return content
