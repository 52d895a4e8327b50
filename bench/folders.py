"""Where files are kept that belong to a user and a machine, not to a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE = "FIRSTPACKET_CACHE"
"""Environment variable that names the cache folder."""


def cache() -> Path:
    """Where generated files are kept: `FIRSTPACKET_CACHE`, else `firstpacket` in this user's cache folder."""
    if chosen := os.environ.get(CACHE):
        return Path(chosen).expanduser()
    return _users() / "firstpacket"


def _users() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
