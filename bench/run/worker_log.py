"""What a worker's log says about its end, in one line for a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from firstpacket.bench.sanitize import clean, without_secrets

READ_BYTES = 64 << 10
"""Libraries may print megabytes; what matters is at the end."""
LINES, FRAMES, LONGEST = 3, 4, 300
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x.*:$")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')
_HARNESS = str(Path(__file__).parent)


def size(log: Path) -> int:
    """Bytes in the log so far; 0 if there is none."""
    return log.stat().st_size if log.exists() else 0


def last_words(log: Path, since: int) -> str:
    """What was written after the first `since` bytes: where Python was when faulthandler last reported, and the lines
    before that; without a report the last lines. Empty if nothing was written.
    """
    lines = _lines(log, since)
    threads = [number for number, line in enumerate(lines) if _THREAD.match(line)]
    if not threads:
        return " | ".join(_quoted(lines))
    current = next((number for number in reversed(threads) if lines[number].startswith("Current")), threads[-1])
    location = ", called from ".join(_frames(lines[current + 1 :]))
    messages = [line for line in lines[:current] if not (_THREAD.match(line) or _FRAME.match(line))]
    return " | ".join([*_quoted(messages), *([f"at {location}"] if location else [])])


def _lines(log: Path, since: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(since, size(log) - READ_BYTES))
            return file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return []


def _quoted(lines: Sequence[str]) -> list[str]:
    """The last lines with text; of a line that was overwritten (a progress bar) what is visible of it."""
    visible = (line.rstrip("\r").rpartition("\r")[2].strip() for line in lines)
    messages = [line[:LONGEST] for line in visible if any(map(str.isalnum, line))]
    return [without_secrets(clean(line)) for line in messages[-LINES:]]


def _frames(stack: Sequence[str]) -> list[str]:
    """The innermost frames of a report that are not the harness's: `model.py:12 in load`."""
    frames = [frame for frame in map(_FRAME.match, takewhile(_FRAME.match, stack)) if frame is not None]
    own = takewhile(lambda frame: not frame["file"].startswith(_HARNESS), frames)
    return [clean(f"{_short(frame['file'])}:{frame['line']} in {frame['function']}") for frame in own][:FRAMES]


def _short(file: str) -> str:
    path = Path(file)
    return "/".join(path.parts[-2:]) if path.stem == "__init__" else path.name
