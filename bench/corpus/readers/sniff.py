"""What a text file begins with, to tell one form from another before it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LONGEST_LINE = 1 << 20
_BEGINNING = 1 << 16


def first_line(path: Path) -> str:
    """The first line that is not blank, at most 1 MiB of it; empty if the file cannot be read as text."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            while line := file.readline(_LONGEST_LINE):
                if line.strip():
                    return line.strip()
    except OSError:
        pass
    return ""


def csv_header(path: Path) -> tuple[str, ...]:
    """The names in the first line of a CSV file."""
    return tuple(name.strip() for name in first_line(path).replace('"', "").split(","))


def beginning(path: Path) -> str:
    """The first 64 KiB as text; what is not UTF-8 is replaced."""
    try:
        with path.open("rb") as file:
            return file.read(_BEGINNING).decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    except OSError:
        return ""


def first_object(path: Path) -> dict[str, Any]:
    """The JSON object in the first line; empty if there is none."""
    try:
        value = json.loads(first_line(path))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
