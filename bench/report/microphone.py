"""How late the user's speech came, as a table of the report."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.summary.microphone import Bucket, Microphone


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
    fullest = max(bucket.frames for bucket in heard.buckets)
    rows = [
        LatenessRow(_bucket(each), each.frames, each.frames / heard.frames, each.frames / fullest)
        for each in heard.buckets
    ]
    while not rows[-1].frames:
        rows.pop()
    return tuple(rows)


def _bucket(found: Bucket) -> str:
    low, high = found.from_ms, found.to_ms
    if high is None:
        return f"{low:g} and more"
    return f"{low:g} to {high:g}" if low else f"below {high:g}"
