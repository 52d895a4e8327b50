"""What one start of pytest says and remembers for its voice tests. Imports nothing of the harness."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firstpacket.bench.record.store import Run


@dataclass(slots=True)
class VoiceSession:
    """The options of pytest's command line (None where one was not given), and what tests have left so far."""

    root: Path
    """Where pytest was started."""
    against: str | None = None
    against_path: tuple[str, ...] | None = None
    baseline: str | None = None
    allow: tuple[str, ...] | None = None
    pairs: int | None = None
    out: Path | None = None
    aloud: bool = False
    """Whether every turn is to be printed."""
    parallel: int = 1
    """How many processes of pytest-xdist run tests."""
    said: list[str] = field(default_factory=list)
    """Lines for the end."""
    measured: dict[Hashable, Run] = field(default_factory=dict)
    """Runs that several tests share."""

    def folder(self, test: str) -> Path:
        """A folder that is not there yet, for what a test measures; it is not made."""
        if self.out is None:
            self.out = self.root / "reports" / f"pytest-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        name = re.sub(r"[^A-Za-z0-9._+-]+", "-", test).strip("-.")[-100:] or "test"
        return _free(self.out / name)


def _free(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(each for each in chain((path,), numbered) if not each.exists())
