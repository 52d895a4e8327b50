"""Compiled code of a tree that has just been checked out.

A process that compiles what it imports takes longer to load than one that finds bytecode, and its memory is laid out
differently.
"""

from __future__ import annotations

import compileall
import struct
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

HEADER = struct.Struct("<4sIII")
"""Of a .pyc file (PEP 552): magic number, flags, and the source's modification time (s) and size (bytes)."""


def compile_alike(repository: Path, tree: Path) -> None:
    """Compile those modules of `tree` that are compiled in the repository, and no others."""
    for source in tree.rglob("*.py"):
        if is_compiled(repository / source.relative_to(tree)):
            compileall.compile_file(source, quiet=2)


def is_compiled(source: Path) -> bool:
    """Whether Python finds bytecode of this file as it is now."""
    try:
        with Path(cache_from_source(source)).open("rb") as file:
            magic, flags, modified_s, size = HEADER.unpack(file.read(HEADER.size))
        now = source.stat()
    except (OSError, struct.error):
        return False
    is_current = bool(flags) or (modified_s, size) == (int(now.st_mtime) & 0xFFFFFFFF, now.st_size & 0xFFFFFFFF)
    return magic == MAGIC_NUMBER and is_current
