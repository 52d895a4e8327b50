"""Two labels of one run, or one label of two runs: the difference, its interval, and what it does not say.

Within a run a pair is the same clip in the same block of the same segment, so both turns met the same machine within
seconds. Between runs there are no such pairs, only clips in common: a clip's value is then the median of its turns in
either run, and drift of the machine between the runs is part of the difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.errors import RunError, UnknownName
from bench.metrics.definitions import HEADLINE, TURN_METRICS, Metric
from bench.metrics.definitions import metric as metric_by_name
from bench.record.schema import Turn
from bench.record.store import Run
from bench.stats.bootstrap import MIN_CLUSTERS, Estimate, Interval
from bench.stats.paired import paired_difference, paired_ratio
from bench.stats.quantiles import median
from bench.summary.contents import Unit
from bench.summary.values import label_weights, measured_turns, shown_unit, shown_value

CAVEAT = "times only; unmatched; the answers mean nothing"
"""Stands with every sentence on dummy weights: what was said back is random, and its quality matches nothing."""
MATCHED_CAVEAT = CAVEAT.replace("unmatched", "matched")
"""The same where a label was made like the other one (`bench.run.matching`)."""

REACHED = {
    HEADLINE: "to the first packet",
    "response_latency": "to the first audible sample",
    "gapless_first_audio": "to gapless audio",
}
"""Metrics that are the moment of an answer; of these a sentence says sooner or later."""

Pairing = Literal["turn", "clip"]
Finding = Literal["less", "more", "undecided", "too few"]
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`other` against `base` on one metric: `other - base`, in `unit`; a negative difference means less."""

    metric: str
    title: str
    unit: Unit
    base: str
    other: str
    pairing: Pairing
    difference: Estimate | None
    """Median of the paired differences; None without any pair."""
    ratio: Estimate | None
    """Exponential of the median paired log ratio, `other / base`; None without pairs or if a value is not positive."""
    lost: dict[str, int]
    """Pairs that could not be made, by reason."""
    dummy: bool
    matched: bool = False
    """Whether one label was made like the other in what can be (`--matched`)."""

    @property
    def pairs(self) -> int:
        """Number of pairs compared."""
        return self.difference.n if self.difference else 0

    @property
    def clips(self) -> int:
        """Number of clips that the pairs come from."""
        return self.difference.clusters if self.difference else 0

    @property
    def finding(self) -> Finding:
        """What the interval of the difference says of `other` against `base`."""
        if self.difference is None or self.difference.interval is None:
            return "too few"
        if self.difference.interval.contains(0.0):
            return "undecided"
        return "less" if self.difference.value < 0 else "more"


def compare_labels(run: Run, base: str, other: str, metric: str = HEADLINE) -> Comparison:
    """Two labels of one run on one metric, paired by clip, block and segment.

    Raises `UnknownName` for a label the run does not have, or an unknown metric.
    """
    known = _asked_for(metric)
    turns = {label: _by_key(run, label) for label in (base, other)}
    before, after, clips = [], [], []
    lost: Counter[str] = Counter()
    for key in sorted(turns[base].keys() | turns[other].keys()):
        values = {label: _value(turns[label].get(key, []), known) for label in (base, other)}
        reasons = [f"{label}: {value}" for label, value in values.items() if isinstance(value, str)]
        a, b = values[base], values[other]
        if isinstance(a, str) or isinstance(b, str):
            lost[", ".join(reasons)] += 1
            continue
        before.append(a)
        after.append(b)
        clips.append(key[0])
    dummy = any(weights.origin == "dummy" for label in (base, other) for weights in label_weights(run, label))
    comparison = _comparison(known, (base, other), "turn", before, after, clips, lost, dummy)
    return replace(comparison, matched=_matched(run, (base, other)))


def compare_all(run: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label of a run against its first one; empty for a run of one label."""
    first, *rest = [plan.label for plan in run.manifest.labels]
    return tuple(compare_labels(run, first, label, metric) for label in rest)


def compare_runs(base: Run, other: Run, label: str, metric: str = HEADLINE) -> Comparison:
    """One label of two runs on one metric, by the clips they have in common.

    Raises `RunError` with every reason if the runs must not be compared (`differences`), `UnknownName` for a label
    that one of them does not have, or an unknown metric.
    """
    if reasons := differences(base, other):
        raise RunError(
            f"Runs '{base.manifest.run}' and '{other.manifest.run}' cannot be compared: {'; '.join(reasons)}. "
            "Repeat one of them with the settings of the other."
        )
    known = _asked_for(metric)
    values = [_by_clip(run, label, known) for run in (base, other)]
    common = sorted(values[0].keys() & values[1].keys())
    names = (f"{label} in {base.manifest.run}", f"{label} in {other.manifest.run}")
    asked = sorted(_clips(base, label) | _clips(other, label))
    gaps = [", ".join(name for name, side in zip(names, values, strict=True) if clip not in side) for clip in asked]
    lost = Counter(f"no {known.title} from {gap}" for gap in gaps if gap)
    dummy = any(weights.origin == "dummy" for run in (base, other) for weights in label_weights(run, label))
    before, after = ([side[clip] for clip in common] for side in values)
    return _comparison(known, names, "clip", before, after, common, lost, dummy)


def compare_same_labels(base: Run, other: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label that both runs have, `other` against `base`. Raises `RunError` as `compare_runs`, or if none is."""
    labels = [plan.label for plan in other.manifest.labels]
    common = [plan.label for plan in base.manifest.labels if plan.label in labels]
    if not common:
        raise RunError(
            f"Runs '{base.manifest.run}' and '{other.manifest.run}' have no label in common "
            f"({_labels(base)}; {_labels(other)}). Give a pipeline the same label in both: LABEL=NAME."
        )
    return tuple(compare_runs(base, other, label, metric) for label in common)


def differences(base: Run, other: Run) -> tuple[str, ...]:
    """Why two runs must not be compared: another corpus, another start of the clock, another way of input."""
    a, b = base.manifest, other.manifest
    found = []
    if a.corpus_sha256 != b.corpus_sha256:
        found.append(f"the corpora differ (sha256 {a.corpus_sha256[:12]} and {b.corpus_sha256[:12]})")
    if a.t0 != b.t0:
        found.append(f"their clocks start at different moments (t0: {a.t0} and {b.t0})")
    if a.input != b.input:
        found.append(f"the speech was put in differently (input: {a.input} and {b.input})")
    return tuple(found)


def sentence(comparison: Comparison) -> str:
    """A comparison in one sentence, for people; `CAVEAT` follows it while any weights are dummies."""
    difference = comparison.difference
    if difference is None or difference.interval is None:
        said = _too_few(comparison)
    elif comparison.finding == "undecided":
        said = _undecided(comparison, difference.interval)
    else:
        said = _decided(comparison, difference.value, difference.interval)
    caveat = MATCHED_CAVEAT if comparison.matched else CAVEAT
    return f"{said} [{caveat}]" if comparison.dummy else said


def amount(value: float, unit: Unit) -> str:
    """A value for people: `412 ms`, `8.3 ms`, `0.412`; unit `count` has no unit to write."""
    if unit == "ms":
        return f"{number(value, unit)} ms"
    return number(value, unit)


def number(value: float, unit: Unit) -> str:
    """As `amount`, without the unit: whole from 100 on, one decimal, below 1 two digits; ratios have three decimals."""
    if unit == "count" and value == int(value):
        return f"{value:.0f}"
    if unit == "ratio":
        return f"{value:.3f}"
    if abs(value) < 1:
        return f"{value:.2g}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _asked_for(name: str) -> Metric:
    try:
        return metric_by_name(name)
    except KeyError:
        known = [known.name for known in TURN_METRICS]
        raise UnknownName("metric", name, known, "Of a stage: stage.STAGE.host, stage.STAGE.gpu.") from None


def _matched(run: Run, labels: tuple[str, str]) -> bool:
    """Whether each of the labels was made like the model of the run, or is it: that one has no such choice."""
    asked = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in asked and False not in asked


def _labels(run: Run) -> str:
    return ", ".join(plan.label for plan in run.manifest.labels)


def _by_key(run: Run, label: str) -> dict[Key, list[Turn]]:
    _check(run, label)
    found: dict[Key, list[Turn]] = defaultdict(list)
    for turn in measured_turns(run, label):
        found[turn.utterance, turn.segment, turn.block].append(turn)
    return found


def _by_clip(run: Run, label: str, known: Metric) -> dict[str, float]:
    _check(run, label)
    values: dict[str, list[float]] = defaultdict(list)
    for turn in measured_turns(run, label):
        value = shown_value(turn, known)
        if value is not None:
            values[turn.utterance].append(value)
    return {clip: median(found) for clip, found in values.items()}


def _clips(run: Run, label: str) -> set[str]:
    return {turn.utterance for turn in measured_turns(run, label)}


def _check(run: Run, label: str) -> None:
    labels = [plan.label for plan in run.manifest.labels]
    if label not in labels:
        raise UnknownName("label", label, labels, f"The run is '{run.manifest.run}'.")


def _value(turns: Sequence[Turn], known: Metric) -> float | str:
    """The value of the one turn there should be, or why there is none."""
    if len(turns) != 1:
        return f"{len(turns)} turns in one block" if turns else "no such turn"
    turn = turns[0]
    value = shown_value(turn, known)
    if value is not None:
        return value
    return f"no {known.title}" if turn.outcome == "answered" else turn.outcome


def _comparison(
    known: Metric,
    names: tuple[str, str],
    pairing: Pairing,
    before: Sequence[float],
    after: Sequence[float],
    clips: Sequence[str],
    lost: Mapping[str, int],
    dummy: bool,
) -> Comparison:
    return Comparison(
        metric=known.name,
        title=known.title,
        unit=shown_unit(known),
        base=names[0],
        other=names[1],
        pairing=pairing,
        difference=paired_difference(before, after, clips) if before else None,
        ratio=paired_ratio(before, after, clips) if before else None,
        lost=dict(sorted(lost.items())),
        dummy=dummy,
    )


def _decided(comparison: Comparison, value: float, interval: Interval) -> str:
    less = value < 0
    size = amount(abs(value), comparison.unit)
    low, high = sorted((abs(interval.low), abs(interval.high)))
    if comparison.metric in REACHED:
        word, to_what = "sooner" if less else "later", REACHED[comparison.metric]
        claim = f"{comparison.other} answers {size} {word} than {comparison.base} {to_what}"
    else:
        word, title = "less" if less else "more", comparison.title
        claim = f"{title} is {size} {word} with {comparison.other} than with {comparison.base}"
    return f"{claim} (95 % CI {number(low, comparison.unit)} to {number(high, comparison.unit)}, {_basis(comparison)})"


def _undecided(comparison: Comparison, interval: Interval) -> str:
    span = f"95 % CI {number(interval.low, comparison.unit)} to {amount(interval.high, comparison.unit)}"
    return f"These turns do not show a difference between {_subject(comparison)} ({span}, {_basis(comparison)})"


def _too_few(comparison: Comparison) -> str:
    return (
        f"Too few turns to tell a difference between {_subject(comparison)}: "
        f"{_basis(comparison)}, and an interval needs {MIN_CLUSTERS} clips"
    )


def _subject(comparison: Comparison) -> str:
    where = REACHED.get(comparison.metric, f"in {comparison.title}")
    return f"{comparison.base} and {comparison.other} {where}"


def _basis(comparison: Comparison) -> str:
    clips = _counted(comparison.clips, "clip")
    basis = f"{clips} in common" if comparison.pairing == "clip" else f"{_counted(comparison.pairs, 'pair')} on {clips}"
    lost = sum(comparison.lost.values())
    return f"{basis}, {lost} lost" if lost else basis


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
