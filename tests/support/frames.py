"""Speech in frames, as a microphone delivers it."""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.pipeline import Samples


def in_frames(speech: Samples, frame: int) -> Iterator[Samples]:
    """Frames of so many samples; the last may be shorter."""
    for begin in range(0, len(speech), frame):
        yield speech[begin : begin + frame]
