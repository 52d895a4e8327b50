"""How late the microphone delivered the user's speech (realtime input only: with file input no frame is due at a time).

A turn is flagged `late_microphone` if its last frame of speech came later than the limit, since every latency from t0
includes that delay, or if any frame came later than the limit plus the length of a frame: frames then come in bunches.
"""

from __future__ import annotations

from bisect import bisect_right

from firstpacket.bench.record.schema import Delivery
from firstpacket.bench.timing.clock import NS_PER_MS

EDGES_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Bounds of the histogram's buckets: below the first, between neighbours, and from the last on."""
FRAME_NS = 20_000_000
LATE_TURNS_SHARE = 0.05
"""Largest share of measured turns that may be flagged: with more, a system's percentiles shift too far."""
LATE_TURNS = 2
"""Fewer flagged turns than this make no run invalid."""
_EDGES_NS = tuple(round(edge * NS_PER_MS) for edge in EDGES_MS)


def histogram(delivery: Delivery) -> tuple[int, ...]:
    """Frames by lateness, one count per bucket; empty with file input."""
    if not scheduled(delivery):
        return ()
    counts = [0] * (len(EDGES_MS) + 1)
    for lateness_ns in delivery.lateness_ns:
        counts[bisect_right(_EDGES_NS, lateness_ns)] += 1
    return tuple(counts)


def late_frames(delivery: Delivery, limit_ns: int) -> dict[str, int]:
    """The figure `late_frames`: frames that came later than the limit; absent with file input."""
    if not scheduled(delivery):
        return {}
    return {"late_frames": sum(lateness_ns > limit_ns for lateness_ns in delivery.lateness_ns)}


def is_late(delivery: Delivery, limit_ns: int) -> bool:
    """Whether a turn is flagged `late_microphone`."""
    if not scheduled(delivery):
        return False
    last_frame_late = delivery.last_frame_ns - delivery.t0_ns > limit_ns
    return last_frame_late or max(delivery.lateness_ns) > limit_ns + FRAME_NS


def too_many(late_turns: int, turns: int) -> bool:
    """Whether so many flagged turns make a run invalid."""
    return late_turns >= LATE_TURNS and late_turns > LATE_TURNS_SHARE * turns


def scheduled(delivery: Delivery) -> bool:
    """Whether frames had due times: a clip that is handed over as a file starts at its t0."""
    return delivery.start_ns < delivery.t0_ns and bool(delivery.lateness_ns)
