"""Comparisons in sentences, for people."""

from __future__ import annotations

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.format import amount, counted, number
from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Interval

CAVEAT = "times only; unmatched; the answers mean nothing"
"""Added to every sentence on dummy weights: the replies are random, and so is their quality."""
MATCHED_CAVEAT = CAVEAT.replace("unmatched", "matched")
"""The same for a system that was matched with the other one (`firstpacket.bench.run.matching`)."""


def sentence(comparison: Comparison) -> str:
    """A comparison in one sentence, followed by allowed mismatches, and by `CAVEAT` with any dummy weights."""
    difference = comparison.difference
    if difference is None or difference.interval is None:
        text = _too_few(comparison)
    elif comparison.finding == "undecided":
        text = _undecided(comparison, difference.interval)
    else:
        text = _decided(comparison, difference.value, difference.interval)
    return qualified(text, comparison)


def qualified(text: str, comparison: Comparison) -> str:
    """A sentence with its allowed mismatches, and the caveat if any weights are dummies."""
    caveat = MATCHED_CAVEAT if comparison.matched else CAVEAT
    if comparison.allowed_mismatches:
        text = f"{text} [despite: {'; '.join(comparison.allowed_mismatches)}]"
    return f"{text} [{caveat}]" if comparison.dummy else text


def _decided(comparison: Comparison, value: float, interval: Interval) -> str:
    less = value < 0
    size = amount(abs(value), comparison.unit)
    low, high = sorted((abs(interval.low), abs(interval.high)))
    if moment := metric(comparison.metric).moment:
        word = "sooner" if less else "later"
        claim = f"{comparison.other} sends its {moment} {size} {word} than {comparison.base}"
    else:
        word, title = "less" if less else "more", comparison.title
        claim = f"{title} is {size} {word} with {comparison.other} than with {comparison.base}"
    return f"{claim} (95 % CI {number(low, comparison.unit)} to {amount(high, comparison.unit)}, {basis(comparison)})"


def _undecided(comparison: Comparison, interval: Interval) -> str:
    span = f"95 % CI {number(interval.low, comparison.unit)} to {amount(interval.high, comparison.unit)}"
    return f"No difference shown between {_subject(comparison)} ({span}, {basis(comparison)})"


def _too_few(comparison: Comparison) -> str:
    return (
        f"Too few turns to tell a difference between {_subject(comparison)}: "
        f"{basis(comparison)}, and an interval needs {MIN_CLUSTERS} clips"
    )


def _subject(comparison: Comparison) -> str:
    moment = metric(comparison.metric).moment
    return f"{comparison.base} and {comparison.other} in {f'time to {moment}' if moment else comparison.title}"


def basis(comparison: Comparison) -> str:
    """The data behind an interval: `40 pairs on 8 clips, 1 dropped`."""
    clips = counted(comparison.clips, "clip")
    dropped = sum(comparison.dropped.values())
    missing = f", {dropped} dropped" if dropped else ""
    if comparison.pairing == "turn":
        return f"{counted(comparison.pairs, 'pair')} on {clips}{missing}"
    return f"{clips} in common{missing}, {_band(comparison.band)}"


def _band(band: float | None) -> str:
    if band is None:
        return "no A/A band known: drift between the runs is not in the interval"
    return f"widened by an A/A band of {100 * band:.2g} %"
