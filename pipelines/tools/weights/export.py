"""The demo weights in published layouts, for a user's own use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.pipelines.weights.layouts import CONVERTED, NAMES, available, exported
from firstpacket.pipelines.weights.store import Store, find, opened


def export(layout: str, out: Path | None, weights: Path | None = None) -> Iterator[Path]:
    """Folders of one layout, or `all` for which there are parts, in the cache or as copies `out/LAYOUT`.

    They are of the demo weights, or of other packed `weights`. Raises `UnknownName`, `UsageError` for a folder that is
    there already, `WeightsError`, or `MissingDependency`.
    """
    if layout not in (*NAMES, "all"):
        raise UnknownName("layout", layout, (*NAMES, "all"))
    found = opened(weights) if weights is not None else find()
    for name in available(found) if layout == "all" else (layout,):
        folder = _converted(found) if name == CONVERTED else exported(name, found).path
        yield folder if out is None else _copied(folder, out / name)


def _converted(store: Store) -> Path:
    """CTranslate2's layout, of the one that its converter reads."""
    from firstpacket.pipelines.cascade.asr.converted import converted
    from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint

    found = exported("transformers-whisper", store)
    return converted(WhisperCheckpoint(found.path, "transformers", found.source)).path


def _copied(folder: Path, to: Path) -> Path:
    if to.exists():
        raise UsageError(f"{to} already exists and is not overwritten. Remove it, or choose another folder with --out.")
    try:
        shutil.copytree(folder, to)
    except OSError as error:
        raise UsageError(f"Cannot write {to}: {error}. Choose another folder with --out.") from error
    return to
