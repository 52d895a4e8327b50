"""Whether a run's headline is known narrowly enough: pure, from the turns of its first blocks.

The headline of several labels is the paired ratio (or difference) of each against the first, of one label its median
first packet. Clips are the clusters, as everywhere: blocks over the same clips narrow what turns add, not what clips
do.
`firstpacket.bench.stats.sequential` says when is looked, and at which level.
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
from firstpacket.bench.stats.bootstrap import SAMPLING, Estimate, Interval, Sampling, estimate
from firstpacket.bench.stats.paired import paired_difference, paired_ratio
from firstpacket.bench.stats.sequential import LOOK_RESAMPLES, clusters_needed, look_level, looks

STALLED = 0.9
"""An interval that keeps this share of its width although four times as many blocks were asked has stopped shrinking;
noise of turns alone would halve it."""

NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Reach:
    """A label's headline at a look: its estimate, and how far the interval reaches to either side (None: unknown)."""

    label: str
    against: str
    """The label it is compared with; empty where it stands alone."""
    estimate: Estimate | None
    width: float | None
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen after so many whole blocks, with intervals at `level`."""

    blocks: int
    level: float
    reaches: Annotated[tuple[Reach, ...], Keyed("label")]

    @property
    def widest(self) -> Reach:
        """The reach that decides: an unknown one, or the widest."""
        return max(self.reaches, key=lambda reach: math.inf if reach.width is None else reach.width)


@dataclass(frozen=True, slots=True)
class Stop:
    """The interval is narrow enough."""

    look: Look


@dataclass(frozen=True, slots=True)
class GoOn:
    """It is not; `next` is the number of blocks at which is looked again (None: there is no further look)."""

    look: Look
    next: int | None
    stalled: bool = False
    """Whether more blocks over the same clips have stopped narrowing it."""


def decide(turns: Iterable[Turn], labels: Sequence[str], rule: StoppingRule, blocks: int) -> Stop | GoOn:
    """What the first `blocks` blocks say; later turns change nothing, so it can be asked again at any time."""
    seen = [turn for turn in turns if turn.is_measured and turn.block < blocks]
    look = look_at(seen, labels, rule, blocks)
    width = look.widest.width
    if width is not None and width <= rule.width:
        return Stop(look)
    following = next((number for number in looks(rule.blocks) if number > blocks), None)
    return GoOn(look, following, _stalled(seen, labels, rule, look))


def look_at(turns: Sequence[Turn], labels: Sequence[str], rule: StoppingRule, blocks: int) -> Look:
    """The headline of every label over the measured `turns`, all of them from the first `blocks` blocks."""
    sampling = _sampling(rule)
    sides = {label: _values(turns, label) for label in labels}
    first, *others = labels
    if not others:
        return Look(blocks, sampling.level, (_alone(first, sides[first], rule, sampling),))
    return Look(blocks, sampling.level, tuple(_paired(label, first, sides, rule, sampling) for label in others))


def clips_needed(rule: StoppingRule) -> int:
    """Below so many clips no look has an interval."""
    return clusters_needed(look_level(rule.blocks))


def sampling_of(rule: StoppingRule | None) -> Sampling:
    """How the intervals of a run are made that was made by this rule, or by none."""
    return _sampling(rule) if rule else SAMPLING


def _sampling(rule: StoppingRule) -> Sampling:
    return Sampling(look_level(rule.blocks), LOOK_RESAMPLES)


def _stalled(turns: Sequence[Turn], labels: Sequence[str], rule: StoppingRule, now: Look) -> bool:
    earlier = [number for number in looks(rule.blocks) if 4 * number <= now.blocks]
    if not earlier or now.widest.width is None:
        return False
    before = look_at([turn for turn in turns if turn.block < earlier[-1]], labels, rule, earlier[-1])
    then = next(reach.width for reach in before.reaches if reach.label == now.widest.label)
    return then is not None and now.widest.width >= STALLED * then


def _values(turns: Sequence[Turn], label: str) -> dict[PairKey, float]:
    """First packets of a label's turns that have one, ms, by what makes pairs."""
    timed = ((turn, comparable_ms(turn)) for turn in turns if turn.label == label)
    return {turn.pair_key: ms for turn, ms in timed if ms is not None}


def _alone(label: str, values: dict[PairKey, float], rule: StoppingRule, sampling: Sampling) -> Reach:
    if not values:
        return Reach(label, "", None, None, "no turn was answered")
    keys = sorted(values)
    found = estimate([values[key] for key in keys], [key.utterance for key in keys], sampling=sampling)
    found = _held(found, sampling.level)
    if rule.unit == "share" and found.value <= 0:
        return Reach(label, "", found, None, "its median is not over 0: use a precision in ms")
    return _reach(
        label, "", found, _half(found.interval) / (found.value if rule.unit == "share" else 1), sampling.level
    )


def _paired(
    label: str, base: str, sides: dict[str, dict[PairKey, float]], rule: StoppingRule, sampling: Sampling
) -> Reach:
    keys = sorted(sides[base].keys() & sides[label].keys())
    if not keys:
        return Reach(label, base, None, None, "no pair was answered by both")
    before, after = ([sides[name][key] for key in keys] for name in (base, label))
    clips, blocks = [key.utterance for key in keys], [key.stretch for key in keys]
    make = paired_ratio if rule.unit == "share" else paired_difference
    found = make(before, after, clips, blocks=blocks, sampling=sampling)
    if found is None:
        return Reach(label, base, None, None, "a first packet is not over 0: use a precision in ms")
    found = _held(found, sampling.level)
    if found.interval is None or rule.unit == "ms":
        return _reach(label, base, found, _half(found.interval), sampling.level)
    return _reach(label, base, found, math.sqrt(found.interval.high / found.interval.low) - 1, sampling.level)


def _reach(label: str, against: str, found: Estimate, width: float, level: float) -> Reach:
    if found.interval is None:
        return Reach(label, against, found, None, too_few(found.clusters, clusters_needed(level)))
    return Reach(label, against, found, width)


def _held(found: Estimate, level: float) -> Estimate:
    """Without its interval where there are too few clips for one at this level."""
    return found if found.clusters >= clusters_needed(level) else replace(found, interval=None)


def _half(interval: Interval | None) -> float:
    return math.inf if interval is None else (interval.high - interval.low) / 2


def spent_ns(run: Run) -> int:
    """Time from the labels' loading to the last clip's t0, over all starts; one whose trace is damaged counts not."""
    spent = 0
    latest = {turn.segment: turn for turn in run.turns if turn.is_measured}
    for segment in run.segments:
        if (last := latest.get(segment.segment)) is not None:
            with contextlib.suppress(RunError):
                spent += run.evidence(last).delivery.t0_ns - segment.monotonic_ns
    return spent


def whole_passes(turns: Iterable[Turn], size: int) -> int:
    """How many blocks of `size` turns were asked to their end, without a gap."""
    asked = {turn.turn for turn in turns if turn.is_measured}
    return (next(number for number in itertools.count(1) if number not in asked) - 1) // size


def in_words(decision: Stop | GoOn, rule: StoppingRule) -> str:
    """A look in one line, for progress output."""
    look = decision.look
    line = f"after {passes(look.blocks)}: {reached(look, rule)}, target {rule}"
    if isinstance(decision, Stop):
        return f"{line}: narrow enough"
    if decision.stalled:
        line += "; more passes over the same clips hardly narrow the interval: use more clips"
    return f"{line}; next check after {decision.next} passes" if decision.next else line


def reached(look: Look, rule: StoppingRule) -> str:
    """How wide the widest interval is: `±3.1 % (direct against cascade)`."""
    widest = look.widest
    who = f"{widest.label} against {widest.against}" if widest.against else widest.label
    if widest.width is None:
        return f"no interval ({who}: {widest.why_none})"
    return f"{amount(widest.width, rule.unit)} ({who})"


def passes(blocks: int) -> str:
    """A number of passes over the corpus, in words."""
    return "1 pass" if blocks == 1 else f"{blocks} passes"
