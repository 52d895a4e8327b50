"""A cache of generated folders, such as checkpoints of dummy weights."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.paths import CACHE
from firstpacket.bench.paths import cache as root

__all__ = ["CACHE", "cached", "root"]


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; if there is none, `build` fills an empty one first.

    It appears whole or not at all, also when several processes build it at once. `name` is a file name that changes
    with everything that the content depends on (a hash, the version of the library that writes it). Raises
    `WeightsError` where the cache cannot be written.
    """
    folder = root() / name
    if _is_filled(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        growing = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder.parent))
        try:
            build(growing)
            _appear(growing, folder)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
    except Exception as error:
        # Libraries written in Rust have kinds of their own for a full disk, which name the system's error.
        if not (isinstance(error, OSError) or "os error" in str(error)):
            raise
        raise WeightsError(
            f"Cannot write {name} to the cache folder {folder.parent}: {error}. Free some space, or choose another "
            f"folder with the environment variable {CACHE}."
        ) from error
    return folder


def _appear(growing: Path, folder: Path) -> None:
    """Rename the folder into place, unless another process was first: the content is then the same."""
    try:
        growing.rename(folder)
    except OSError:
        if not _is_filled(folder):
            raise


def _is_filled(folder: Path) -> bool:
    """Whether it exists and has not been emptied by a cleaner of old files."""
    return folder.is_dir() and any(folder.iterdir())
