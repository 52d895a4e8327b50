"""Added latency per second of the user's speech: latency against utterance length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from firstpacket.bench.compare.pairs import by_clip
from firstpacket.bench.contract import Keyed, Omitted, computed
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.regression import Line, line
from firstpacket.bench.summary.values import definition

METHOD = "Theil-Sen slope over one point per clip, the median of its turns; Sen's interval (from Kendall's tau)"


@dataclass(frozen=True, slots=True)
class LengthFit:
    """A system's clips by length of speech (s) and median first packet (ms), ascending; slopes are in ms per s."""

    label: str
    seconds: Omitted[tuple[float, ...]]
    ms: Omitted[tuple[float, ...]]
    line: Line | None
    """Of the first packet; None with too few clips, or too few lengths."""
    audible_line: Line | None
    """The same of the first audible sample; None also if turns ended before it."""

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
        seconds, ms = _by_length(run, label, HEADLINE, spoken)
        if seconds:
            audible = _by_length(run, label, FIRST_AUDIBLE, spoken)
            fits.append(LengthFit(label, seconds, ms, line(seconds, ms), line(*audible) if audible[0] else None))
    return Lengths(tuple(fits))


def _by_length(
    run: Run, label: str, metric: str, spoken: Mapping[str, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of speech and median of the metric (ms) of every clip that has one, in order of length."""
    values = by_clip(run, label, definition(metric))
    points = sorted((spoken[clip], ms) for clip, ms in values.items() if clip in spoken)
    return tuple(seconds for seconds, _ in points), tuple(ms for _, ms in points)
