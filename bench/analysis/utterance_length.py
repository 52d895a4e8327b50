"""Added latency per second of the user's speech: latency against utterance length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from firstpacket.bench.compare.pairs import by_clip
from firstpacket.bench.contract import Keyed, Omitted, computed
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.regression import Line, line
from firstpacket.bench.summary.values import definition

METHOD = "Theil-Sen slope over one point per clip, the median of its turns; Sen's interval (from Kendall's tau)"


@dataclass(frozen=True, slots=True)
class LengthFit:
    """A system's clips by length of speech (s) and median first packet (ms), ascending; the slope is in ms per s."""

    label: str
    seconds: Omitted[tuple[float, ...]]
    ms: Omitted[tuple[float, ...]]
    line: Line | None
    """None with too few clips, or too few lengths."""

    @computed
    def clips(self) -> int:
        """Clips with an answer."""
        return len(self.ms)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Added latency per second of speech, by label."""

    labels: Annotated[tuple[LengthFit, ...], Keyed("label")]
    method: str = METHOD


def lengths(run: Run) -> Lengths:
    """For every system with answered turns."""
    spoken = {clip.id: clip.speech_end_ms / 1000 for clip in run.manifest.utterances}
    fits = []
    for label in run.labels:
        values = by_clip(run, label, definition(HEADLINE))
        points = sorted((spoken[clip], ms) for clip, ms in values.items() if clip in spoken)
        if points:
            seconds, ms = (tuple(each) for each in zip(*points, strict=True))
            fits.append(LengthFit(label, seconds, ms, line(seconds, ms)))
    return Lengths(tuple(fits))
