"""What each second of the user's speech costs: latency against the length of what was said."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated

from firstpacket.bench.contract import Keyed, Omitted, computed
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.line import Line, line
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import definition, shown_value

METHOD = "Theil-Sen line through one point per clip, the median of its turns; Sen's interval (from Kendall's tau)"


@dataclass(frozen=True, slots=True)
class LengthFit:
    """A label's clips by length of speech (s) and median first packet (ms), ascending; the line's slope is ms per s."""

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
    """What each second of speech costs, by label."""

    labels: Annotated[tuple[LengthFit, ...], Keyed("label")]
    method: str = METHOD


def lengths(run: Run) -> Lengths:
    """Of every label that has answers."""
    spoken = {clip.id: clip.speech_end_ms / 1000 for clip in run.manifest.utterances}
    fits = []
    for plan in run.manifest.labels:
        values: dict[str, list[float]] = defaultdict(list)
        for turn in run.measured(plan.label):
            value = shown_value(turn, definition(HEADLINE))
            if value is not None and turn.utterance in spoken:
                values[turn.utterance].append(value)
        points = sorted((spoken[clip], median(found)) for clip, found in values.items())
        if points:
            seconds, ms = (tuple(each) for each in zip(*points, strict=True))
            fits.append(LengthFit(plan.label, seconds, ms, line(seconds, ms)))
    return Lengths(tuple(fits))
