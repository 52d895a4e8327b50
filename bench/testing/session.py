"""The state of one pytest session with voice tests. Imports nothing of the harness."""

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
    """The options of pytest's command line (None if not given), and the results of tests so far."""

    root: Path
    """Where pytest was started."""
    against: str | None = None
    against_path: tuple[str, ...] | None = None
    baseline: str | None = None
    allow: tuple[str, ...] | None = None
    max_minutes: float | None = None
    out: Path | None = None
    aloud: bool = False
    """Whether to print every turn."""
    parallel: int = 1
    """How many processes of pytest-xdist run tests."""
    said: list[str] = field(default_factory=list)
    """Lines for the terminal summary."""
    measured: dict[Hashable, Run] = field(default_factory=dict)
    """Runs that several tests share."""

    def folder(self, test: str) -> Path:
        """A new folder name for a test's measurements; the folder is not created."""
        if self.out is None:
            self.out = self.root / "reports" / f"pytest-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        name = re.sub(r"[^A-Za-z0-9._+-]+", "-", test).strip("-.")[-100:] or "test"
        return _free(self.out / name)


def _free(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(each for each in chain((path,), numbered) if not each.exists())
