"""How late the user's speech came over a whole run, and whether that makes the run invalid."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.late_microphone import EDGES_MS, too_many
from firstpacket.bench.record.store import Run
from firstpacket.bench.vocabulary import Flag

LATE_FRAMES_SHARE = 0.01
"""Largest share of a run's frames that may be later than the limit: with more, their p99 lateness exceeds it."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Frames by lateness in ms; the last bucket has no upper end."""

    from_ms: float
    to_ms: float | None
    frames: int


@dataclass(frozen=True, slots=True)
class Microphone:
    """Every frame of the measured turns, by lateness."""

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
        """Why the run must not be used; empty if it can be."""
        found = []
        if self.late_frames > LATE_FRAMES_SHARE * self.frames:
            found.append(
                f"the microphone was late: {self.late_frames} of {self.frames} frames arrived more than "
                f"{self.limit_ms:g} ms after they were due (at most 1 % may)"
            )
        if too_many(self.late_turns, self.turns):
            found.append(
                f"the microphone was late in {self.late_turns} of {self.turns} measured turns (at most 1 in 20 may "
                f"be): speech ended more than {self.limit_ms:g} ms late or came in bursts, and distorts their latency"
            )
        return tuple(found)


def microphone(run: Run) -> Microphone | None:
    """Microphone timing in the measured turns of a run; `None` if none of them had a schedule."""
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
    """Why a run must not be used; empty if it can be."""
    heard = microphone(run)
    return heard.invalid if heard is not None else ()
