"""Where the project's own data lie, and the files that belong to a user and a machine, not to a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE = "FIRSTPACKET_CACHE"
"""Environment variable that names the cache folder."""

DATASETS = Path(__file__).resolve().parents[1] / "datasets"
"""Where the data of this project lie, in a checkout and in an installed wheel alike: beside this package."""


def cache() -> Path:
    """Where generated files are kept: `FIRSTPACKET_CACHE`, else `firstpacket` in this user's cache folder."""
    if chosen := os.environ.get(CACHE):
        return Path(chosen).expanduser()
    return _users() / "firstpacket"


def replace_text(file: Path, text: str) -> None:
    """Write a file so that readers see the old text or the new one, never a part. Raises `OSError`."""
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(text)
    temporary.replace(file)


def _users() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
