"""Whether the headline of a run is precise enough to stop; pure, computed from the turns of its first blocks.

With several systems, the headline is the paired ratio (or difference) of each to the first; with one, its median first
packet. Clips are the clusters, as everywhere: more blocks over the same clips average out noise between turns, but not
differences between clips. `firstpacket.bench.stats.sequential` defines when to check, and at which level.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from firstpacket.bench.contract import Keyed
from firstpacket.bench.errors import RunError
from firstpacket.bench.format import too_few
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.record.rules import StoppingRule, amount
from firstpacket.bench.record.schema import PairKey, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate, Interval, Sampling, estimate
from firstpacket.bench.stats.paired import paired_difference, paired_ratio
from firstpacket.bench.stats.sequential import CHECK_RESAMPLES, check_level, checkpoints, clusters_needed

STALLED = 0.9
"""An interval that keeps this share of its width after four times as many blocks has stopped shrinking; if only turns
varied, it would halve."""

NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Precision:
    """How precisely a system's headline is known: its estimate, and half the width of the interval (None: unknown)."""

    label: str
    against: str
    """The label of the system it is compared with; empty for its own median."""
    estimate: Estimate | None
    half_width: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PrecisionCheck:
    """The headlines after so many complete blocks, with intervals at `level`."""

    blocks: int
    level: float
    precisions: Annotated[tuple[Precision, ...], Keyed("label")]

    @property
    def widest(self) -> Precision:
        """The one that decides: an unknown one, or the widest."""
        return max(self.precisions, key=lambda each: math.inf if each.half_width is None else each.half_width)


@dataclass(frozen=True, slots=True)
class Stop:
    """The interval is narrow enough."""

    check: PrecisionCheck


@dataclass(frozen=True, slots=True)
class Continue:
    """It is not; `next` is the number of blocks before the next check (None: this was the last)."""

    check: PrecisionCheck
    next: int | None
    stalled: bool = False
    """Whether more blocks over the same clips have stopped narrowing it."""


def decide(turns: Iterable[Turn], labels: Sequence[str], rule: StoppingRule, blocks: int) -> Stop | Continue:
    """The decision after the first `blocks` blocks. Later turns have no influence, so it can be repeated later."""
    planned, level = checkpoints(rule.blocks), check_level(rule.blocks)
    first_blocks = [turn for turn in turns if turn.is_measured and turn.block < blocks]
    check = check_precision(first_blocks, labels, rule, blocks, level)
    half_width = check.widest.half_width
    if half_width is not None and half_width <= rule.width:
        return Stop(check)
    following = next((number for number in planned if number > blocks), None)
    earlier = [number for number in planned if 4 * number <= blocks]
    return Continue(check, following, bool(earlier) and _stalled(first_blocks, labels, rule, check, earlier[-1]))


def check_precision(
    turns: Sequence[Turn], labels: Sequence[str], rule: StoppingRule, blocks: int, level: float
) -> PrecisionCheck:
    """The headlines over the measured `turns`, all of which are from the first `blocks`, with intervals at `level`."""
    sampling = Sampling(level, CHECK_RESAMPLES)
    sides = {label: _values(turns, label) for label in labels}
    first, *others = labels
    if not others:
        return PrecisionCheck(blocks, level, (_of_one(first, sides[first], rule, sampling),))
    precisions = tuple(_of_pairs(label, first, sides, rule, sampling) for label in others)
    return PrecisionCheck(blocks, level, precisions)


def clips_needed(rule: StoppingRule) -> int:
    """The number of clips below which no check has an interval."""
    return clusters_needed(check_level(rule.blocks))


def _stalled(
    turns: Sequence[Turn], labels: Sequence[str], rule: StoppingRule, check: PrecisionCheck, earlier: int
) -> bool:
    if check.widest.half_width is None:
        return False
    before = check_precision([turn for turn in turns if turn.block < earlier], labels, rule, earlier, check.level)
    earlier_width = next(each.half_width for each in before.precisions if each.label == check.widest.label)
    return earlier_width is not None and check.widest.half_width >= STALLED * earlier_width


def _values(turns: Sequence[Turn], label: str) -> dict[PairKey, float]:
    """The first packets of a system's turns in ms, by pair key; turns without one are left out."""
    timed = ((turn, comparable_ms(turn)) for turn in turns if turn.label == label)
    return {turn.pair_key: ms for turn, ms in timed if ms is not None}


def _of_one(label: str, values: dict[PairKey, float], rule: StoppingRule, sampling: Sampling) -> Precision:
    if not values:
        return Precision(label, "", None, None, "no turn was answered")
    keys = sorted(values)
    result = estimate([values[key] for key in keys], [key.utterance for key in keys], sampling=sampling)
    result = _with_enough_clips(result, sampling.level)
    if rule.unit == "share" and result.value <= 0:
        return Precision(label, "", result, None, "its median is not over 0: use a precision in ms")
    return _precision(
        label, "", result, _half_width(result.interval) / (result.value if rule.unit == "share" else 1), sampling.level
    )


def _of_pairs(
    label: str, base: str, sides: dict[str, dict[PairKey, float]], rule: StoppingRule, sampling: Sampling
) -> Precision:
    keys = sorted(sides[base].keys() & sides[label].keys())
    if not keys:
        return Precision(label, base, None, None, "no pair was answered by both")
    before, after = ([sides[name][key] for key in keys] for name in (base, label))
    clips, blocks = [key.utterance for key in keys], [key.stretch for key in keys]
    make = paired_ratio if rule.unit == "share" else paired_difference
    result = make(before, after, clips, blocks=blocks, sampling=sampling)
    if result is None:
        return Precision(label, base, None, None, "a first packet is not over 0: use a precision in ms")
    result = _with_enough_clips(result, sampling.level)
    if result.interval is None or rule.unit == "ms":
        return _precision(label, base, result, _half_width(result.interval), sampling.level)
    return _precision(label, base, result, math.sqrt(result.interval.high / result.interval.low) - 1, sampling.level)


def _precision(label: str, against: str, result: Estimate, half_width: float, level: float) -> Precision:
    if result.interval is None:
        return Precision(label, against, result, None, too_few(result.clusters, clusters_needed(level)))
    return Precision(label, against, result, half_width)


def _with_enough_clips(result: Estimate, level: float) -> Estimate:
    """The estimate, without its interval if there are too few clips for one at this level."""
    return result if result.clusters >= clusters_needed(level) else replace(result, interval=None)


def _half_width(interval: Interval | None) -> float:
    return math.inf if interval is None else (interval.high - interval.low) / 2


def spent_ns(run: Run) -> int:
    """Time from the end of loading to the last clip's t0, over all starts; a start with a damaged trace is left out."""
    spent = 0
    latest = {turn.segment: turn for turn in run.turns if turn.is_measured}
    for segment in run.segments:
        if (last := latest.get(segment.segment)) is not None:
            with contextlib.suppress(RunError):
                spent += run.evidence(last).delivery.t0_ns - segment.monotonic_ns
    return spent


def complete_passes(turns: Iterable[Turn], size: int) -> int:
    """The number of complete blocks of `size` turns, without a gap."""
    measured = {turn.turn for turn in turns if turn.is_measured}
    return (next(number for number in itertools.count(1) if number not in measured) - 1) // size


def progress_line(decision: Stop | Continue, rule: StoppingRule, spent_ns: int) -> str:
    """A check after `spent_ns`, in one line, for progress output."""
    check = decision.check
    line = f"after {passes(check.blocks)}: {precision_text(check, rule)}, target {rule}"
    if isinstance(decision, Stop):
        return f"{line}: narrow enough"
    if decision.stalled:
        line += "; more passes over the same clips hardly narrow the interval: use more clips"
    if not decision.next:
        return line
    return f"{line}{_outlook(check, rule, spent_ns)}; next check after {decision.next} passes"


def _outlook(check: PrecisionCheck, rule: StoppingRule, spent_ns: int) -> str:
    """The precision that the time allows at this rate, by the square-root law; empty if the target is in reach.

    It is the best case: differences between clips do not average out.
    """
    half_width = check.widest.half_width
    if half_width is None or spent_ns <= 0:
        return ""
    possible = min(rule.blocks, check.blocks * rule.minutes * NS_PER_MINUTE / spent_ns)
    best = half_width * math.sqrt(check.blocks / max(possible, check.blocks))
    if best <= rule.width:
        return ""
    limit = passes(rule.blocks) if possible == rule.blocks else f"{rule.minutes:g} minutes"
    return f"; at this rate {amount(best, rule.unit)} at best in the {limit} allowed"


def precision_text(check: PrecisionCheck, rule: StoppingRule) -> str:
    """The precision of the widest interval: `±3.1 % (direct against cascade)`."""
    widest = check.widest
    who = f"{widest.label} against {widest.against}" if widest.against else widest.label
    if widest.half_width is None:
        return f"no interval ({who}: {widest.reason})"
    return f"{amount(widest.half_width, rule.unit)} ({who})"


def passes(blocks: int) -> str:
    """A number of passes over the corpus, in words."""
    return "1 pass" if blocks == 1 else f"{blocks} passes"
