"""The rule by which warm-up turns are asked until a label is warm; `bench/metrics/settling.py` applies it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settling:
    """What counts as settled, on which clip, and when the search ends without."""

    clip: str
    window: int = 6
    """Latest answered turns that are looked at."""
    step: float = 0.05
    """Share of their median by which the newer half may still lie under the older one."""
    band: float = 0.2
    """Share of their median within which all but the highest and the lowest must lie."""
    floor_ms: float = 2.0
    """Differences up to this are never too large."""
    most: int = 20
    """Turns on the clip, per label."""
    budget_s: float = 120.0
    """No turn beyond the first `window` of a label is begun after that."""
