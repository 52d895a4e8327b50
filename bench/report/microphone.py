"""How late the user's speech came, as a table of the report."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.summary.microphone import Microphone


@dataclass(frozen=True, slots=True)
class LatenessRow:
    """Frames of one bucket; `share` of all of them, and of the fullest bucket for its bar."""

    lateness: str
    frames: int
    share: float
    of_fullest: float


def lateness_rows(heard: Microphone | None) -> tuple[LatenessRow, ...]:
    """One row per bucket up to the last that holds a frame; none without realtime input."""
    if heard is None:
        return ()
    fullest = max(heard.counts)
    rows = [
        LatenessRow(_bucket(low, high), frames, frames / heard.frames, frames / fullest)
        for low, high, frames in heard.buckets
    ]
    while not rows[-1].frames:
        rows.pop()
    return tuple(rows)


def _bucket(low: float, high: float | None) -> str:
    if high is None:
        return f"{low:g} and more"
    return f"{low:g} to {high:g}" if low else f"below {high:g}"
