"""Small kernel files (/proc, /sys), read without ever raising."""

from __future__ import annotations

import os
from pathlib import Path


def text(path: Path | str) -> str | None:
    """The file's content without surrounding space; `None` if it cannot be read."""
    # Dozens are read around every turn: without Python's layers of buffers that takes a third of the time.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        content = bytearray()
        while part := os.read(descriptor, 1 << 16):
            content += part
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content.decode("utf-8", "replace").strip()


def number(path: Path | str) -> int | None:
    """The one whole number that a file holds; `None` if it holds anything else."""
    return whole(text(path))


def field(content: str, name: str) -> int | None:
    """The number in the line `name number` of a file's content; `None` without such a line."""
    _, found, rest = f"\n{content}".partition(f"\n{name} ")
    return whole(rest.partition("\n")[0]) if found else None


def whole(found: str | None) -> int | None:
    """A whole number from text; `None` if it is none."""
    try:
        return int(found) if found is not None else None
    except ValueError:
        return None
