"""The rules that end a run's phases; `firstpacket.bench.metrics` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class WarmupRule:
    """When a label is warm: what counts as settled, on which clip, and when the search ends without."""

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


Unit = Literal["share", "ms"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a run is precise enough: how far the headline's interval may reach to either side, and what it may cost."""

    width: float
    """Half the interval's width: a share of the ratio (of the median, with one label), or milliseconds."""
    unit: Unit
    blocks: int
    """Passes over the corpus, at most: they settle how often may be looked, and so the level of every look."""
    minutes: float
    """No clip is begun once the last one's t0 lies so long after the labels had loaded; all starts count together."""

    @property
    def possible(self) -> bool:
        """Whether there is something to reach, and something to spend on it."""
        return self.width > 0 and self.blocks >= 1 and self.minutes > 0

    def __str__(self) -> str:
        return amount(self.width, self.unit)


def amount(width: float, unit: Unit) -> str:
    """Half a width for people: `±2 %`, `±5 ms`."""
    return f"±{100 * width:.3g} %" if unit == "share" else f"±{width:.3g} ms"
