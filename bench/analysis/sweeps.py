"""Systems that differ only in one numeric option, with published figures of the same definition."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from firstpacket.bench.analysis.published import PUBLISHED, Published
from firstpacket.bench.contract import Omitted, computed
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.quality.findings import ErrorRate, ScoredBy
from firstpacket.bench.record.schema import Manifest, System
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.binomial import Share, share
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.vocabulary import Flag

SweepKey = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Point:
    """A system at one value of the option."""

    value: float
    summary: Omitted[LabelSummary]
    cut_off: Share | None
    """Measured turns whose end it found too early; None for a system that is told when the user has finished."""

    @computed
    def label(self) -> str:
        """Its name in the run."""
        return self.summary.label

    @computed
    def mean(self) -> Estimate | None:
        """Of its first packets, ms, since published figures are means."""
        return self.summary.path.total

    @computed
    def p50(self) -> Estimate | None:
        """Of its first packets, ms."""
        return self.summary.figures[HEADLINE].p50

    @computed
    def audible(self) -> Estimate | None:
        """Median of its first audible samples, ms; None if turns ended before them."""
        return self.summary.figures[FIRST_AUDIBLE].p50

    @computed
    def reply(self) -> ErrorRate:
        """Word errors of its replies, by the recogniser that was used last."""
        return self.summary.quality.reply

    @computed
    def scores(self) -> tuple[ScoredBy, ...]:
        """Scores of its replies."""
        return self.summary.quality.scores


@dataclass(frozen=True, slots=True)
class Sweep:
    """At least two systems, by ascending value of the option; infinity comes last."""

    pipeline: str
    option: str
    points: tuple[Point, ...]
    published: tuple[Published, ...]
    reason_unpublished: str


def sweeps(run: Run, summary: Summary) -> tuple[Sweep, ...]:
    """Every sweep of a run; a system may be part of several."""
    by_name = {label.label: label for label in summary.labels}
    cut_off = {plan.label: _cut_off(run, plan) for plan in run.manifest.labels}
    groups: dict[SweepKey, dict[float, LabelSummary]] = defaultdict(dict)
    for plan in run.manifest.labels:
        for option, setting in plan.options.items():
            value = _number(setting)
            if value is not None:
                groups[_all_else(plan, option)].setdefault(value, by_name[plan.label])
    found = []
    for (pipeline, option, *_), labels in groups.items():
        if len(labels) > 1:
            points = tuple(Point(value, labels[value], cut_off[labels[value].label]) for value in sorted(labels))
            published, reason = _published(run.manifest, option)
            found.append(Sweep(pipeline, option, points, published, reason))
    return tuple(found)


def _cut_off(run: Run, plan: System) -> Share | None:
    turns = [turn for turn in run.turns if turn.label == plan.label and turn.is_measured]
    if not plan.finds_speech_end or not turns:
        return None
    return share([Flag.FALSE_ENDPOINT in turn.flags for turn in turns], [turn.utterance for turn in turns])


def _all_else(plan: System, option: str) -> SweepKey:
    others = tuple(sorted((name, repr(value)) for name, value in plan.options.items() if name != option))
    return plan.pipeline, option, plan.device, plan.dtype, others


def _number(setting: OptionValue) -> float | None:
    """An option's value as a number, infinity included; None for text and booleans."""
    if isinstance(setting, bool):
        return None
    try:
        value = float(setting)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _published(manifest: Manifest, option: str) -> tuple[tuple[Published, ...], str]:
    """Figures of the same definition, or why there are none to show."""
    known = tuple(each for each in PUBLISHED if each.option == option)
    if not known:
        return (), "none are known for this option"
    if manifest.options.input != "file" or manifest.options.t0 != "speech_end":
        return (
            (),
            "they count from a whole recording passed in at once (--input file, --t0 speech_end), unlike this run",
        )
    return known, ""
