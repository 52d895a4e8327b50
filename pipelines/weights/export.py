"""The demo weights in published layouts, for a user's own use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.errors import UnknownName, UsageError
from pipelines.weights.layouts import CONVERTED, NAMES, exported


def export(layout: str, out: Path | None) -> Iterator[Path]:
    """Folders of one layout or `all`, in the cache or as copies `out/LAYOUT`.

    Raises `UnknownName`, `UsageError` for a folder that is there already, `WeightsError`, or `MissingDependency`.
    """
    if layout not in (*NAMES, "all"):
        raise UnknownName("layout", layout, (*NAMES, "all"))
    for name in NAMES if layout == "all" else (layout,):
        folder = _converted() if name == CONVERTED else exported(name).path
        yield folder if out is None else _copied(folder, out / name)


def _converted() -> Path:
    """CTranslate2's layout, of the one that its converter reads."""
    from pipelines.cascade.asr.converted import converted
    from pipelines.cascade.asr.whisper_folders import Found

    found = exported("transformers-whisper")
    return converted(Found(found.path, "transformers", found.source)).path


def _copied(folder: Path, to: Path) -> Path:
    if to.exists():
        raise UsageError(f"{to} is there already, and nothing is written over it. Remove it, or name another folder.")
    try:
        shutil.copytree(folder, to)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error}. Name another folder with --out.") from error
    return to
