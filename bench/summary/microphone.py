"""How late the user's speech came over a whole run, and whether that makes the run invalid."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.late_microphone import EDGES_MS
from firstpacket.bench.record.store import Run
from firstpacket.bench.vocabulary import Flag

LATE_FRAMES_SHARE = 0.01
"""Most of a run's frames that may be later than the limit: with more, the p99 of their lateness is."""
LATE_TURNS_SHARE = 0.05
"""Most of a run's measured turns that may be flagged: with more, the ranks of a label's percentiles move too far."""
LATE_TURNS = 2
"""Fewer flagged turns than this make no run invalid."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Frames that came so late, ms; the last bucket has no end."""

    from_ms: float
    to_ms: float | None
    frames: int


@dataclass(frozen=True, slots=True)
class Microphone:
    """Every frame of the measured turns, by how late it came."""

    limit_ms: float
    buckets: tuple[Bucket, ...]
    late_frames: int
    turns: int
    late_turns: int

    @computed
    def frames(self) -> int:
        """All of them."""
        return sum(bucket.frames for bucket in self.buckets)

    @property
    def invalid(self) -> tuple[str, ...]:
        """Why the run must not be believed; empty if it may be."""
        found = []
        if self.late_frames > LATE_FRAMES_SHARE * self.frames:
            found.append(
                f"the microphone was late: {self.late_frames} of {self.frames} frames came more than "
                f"{self.limit_ms:g} ms after they were due, where 1 % may"
            )
        if self.late_turns >= LATE_TURNS and self.late_turns > LATE_TURNS_SHARE * self.turns:
            found.append(
                f"the microphone was late in {self.late_turns} of {self.turns} measured turns, where 1 in 20 may: "
                f"speech ended more than {self.limit_ms:g} ms late, or came in bunches, and that is in their latencies"
            )
        return tuple(found)


def microphone(run: Run) -> Microphone | None:
    """What the microphone did in the measured turns of a run; `None` where none of them kept a schedule."""
    played = [turn for turn in run.turns if turn.is_measured and turn.lateness]
    if not played:
        return None
    counts = map(sum, zip(*(turn.lateness for turn in played), strict=True))
    return Microphone(
        limit_ms=run.manifest.options.microphone_limit_ms,
        buckets=tuple(map(Bucket, (0.0, *EDGES_MS), (*EDGES_MS, None), counts)),
        late_frames=sum(int(turn.figures.get("late_frames", 0)) for turn in played),
        turns=len(played),
        late_turns=sum(Flag.LATE_MICROPHONE in turn.flags for turn in played),
    )


def invalid(run: Run) -> tuple[str, ...]:
    """Why a run must not be believed; empty if it may be."""
    heard = microphone(run)
    return heard.invalid if heard is not None else ()
