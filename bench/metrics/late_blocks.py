"""Whether a system that takes the user's speech in by blocks keeps up with the speaker.

A block is late if it was complete before the work on the block before it was over. The pipeline marks every block; with
file input all are complete at once, and there is no such figure.
"""

from __future__ import annotations

from firstpacket.bench.metrics.late_microphone import scheduled
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.vocabulary import KnownMark


def late_blocks(evidence: Evidence) -> dict[str, float]:
    """The figure `late_blocks`; absent without blocks, and with file input."""
    marks = [mark.name for mark in evidence.trace.marks]
    late, others = marks.count(KnownMark.LATE_BLOCK), marks.count(KnownMark.BLOCK)
    if not scheduled(evidence.delivery) or not late + others:
        return {}
    return {"late_blocks": late / (late + others)}
