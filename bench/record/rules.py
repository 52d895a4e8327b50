"""The rules that end a run or its phases; `firstpacket.bench.metrics` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class WarmupRule:
    """When a system is warm: the criterion for stable latency, the clip, and the limits of the warm-up."""

    clip: str
    window: int = 6
    """Number of latest answered turns that are checked."""
    step: float = 0.05
    """Share of their median by which the newer half may still be faster than the older one."""
    band: float = 0.2
    """Share of their median within which all but the highest and the lowest must be."""
    floor_ms: float = 2.0
    """Differences up to this are always acceptable."""
    most: int = 20
    """Maximum turns on the clip, per system."""
    budget_s: float = 120.0
    """After that, no turn beyond the first `window` of a system is started."""


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """How much systems that use servers may be used in a run, all phases and starts together; None: without limit."""

    systems: tuple[str, ...]
    """Labels of the systems that use servers."""
    turns: int | None = None
    audio_minutes: float | None = None
    """Speech sent (whole clips) and received."""
    turns_per_minute: float | None = None
    """No limit, but a pace."""
    turns_by_default: bool = False
    """Whether `turns` was not given, but applies because a server is not on this machine."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The limit that ended a run, and how much had been used by then."""

    option: Literal["max_turns", "max_audio_minutes"]
    limits: UsageLimits
    turns: int
    audio_minutes: float


Unit = Literal["share", "ms"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a run is precise enough: the half-width of the headline's interval to reach, and the limits of the run."""

    width: float
    """Half the interval's width: a share of the ratio (of the median, with one label), or milliseconds."""
    unit: Unit
    blocks: int
    """Maximum passes over the corpus: they determine the number of checks, and so the level of each."""
    minutes: float
    """No clip is started once the last t0 is this long after loading; all starts of the run count together."""

    @property
    def possible(self) -> bool:
        """Whether the values are valid."""
        return self.width > 0 and self.blocks >= 1 and self.minutes > 0

    def __str__(self) -> str:
        return amount(self.width, self.unit)


def amount(width: float, unit: Unit) -> str:
    """Half a width for people: `±2 %`, `±5 ms`."""
    return f"±{100 * width:.3g} %" if unit == "share" else f"±{width:.3g} ms"
