"""The rule by which a run goes on until its interval is narrow enough; applied in `firstpacket.bench.metrics.until`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "ms"]


@dataclass(frozen=True, slots=True)
class Until:
    """How far the headline's interval may reach to either side, and what may be spent on it."""

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
