"""The result of a run with `--precision`: whether its headline became precise enough, and what ended it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.contract import computed
from firstpacket.bench.format import counted
from firstpacket.bench.metrics.stopping_decision import (
    NS_PER_MINUTE,
    Continue,
    PrecisionCheck,
    Stop,
    check_precision,
    complete_passes,
    decide,
    passes,
    precision_text,
    spent_ns,
)
from firstpacket.bench.record.rules import StoppingRule, amount
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.sequential import checkpoints

Ended = Literal["narrow", "turns", "minutes", "limit", "unfinished"]
"""`limit`: by a usage limit; `unfinished`: stopped by the user, or still running."""


@dataclass(frozen=True, slots=True)
class StoppingResult:
    """The rule, what ended the run, and the last check, whose intervals are the final ones."""

    rule: StoppingRule
    ended: Ended
    check: PrecisionCheck
    planned: int
    """The maximum number of checks."""
    stalled: bool
    clips: int
    """Clips of the corpus."""

    @computed
    def clips_needed(self) -> int | None:
        """Roughly how many clips would be enough, by the square-root law; None unless more are needed."""
        half_width = self.check.widest.half_width
        if not self.stalled or half_width is None:
            return None
        return round(self.clips * (half_width / self.rule.width) ** 2)


def stopping_result(run: Run) -> StoppingResult | None:
    """None for a run with a fixed number of turns."""
    rule = run.manifest.stopping_rule
    if not rule:
        return None
    labels, turns = run.labels, run.measured()
    clips, planned = len(run.manifest.utterances), checkpoints(rule.blocks)
    complete = min(complete_passes(turns, len(labels) * clips), rule.blocks)
    due = max((number for number in planned if number <= complete), default=0)
    decision = decide(turns, labels, rule, due)
    stalled, check = isinstance(decision, Continue) and decision.stalled, decision.check
    if due == complete and isinstance(decision, Stop):
        ended: Ended = "narrow"
    elif complete == rule.blocks:
        ended = "turns"
    else:
        in_time = spent_ns(run) < rule.minutes * NS_PER_MINUTE
        ended = "limit" if run.limit is not None else "unfinished" if in_time else "minutes"
        check = check_precision(turns, labels, rule, complete, check.level)
    return StoppingResult(rule, ended, check, len(planned), stalled, clips)


def notice(result: StoppingResult) -> str:
    """How the run ended, in a sentence or two."""
    precision, done = precision_text(result.check, result.rule), passes(result.check.blocks)
    said = {
        "narrow": f"the target of {result.rule} was reached after {done}: {precision}",
        "turns": f"the target of {result.rule} was not reached in the {done} allowed: {precision}",
        "minutes": (
            f"the target of {result.rule} was not reached in the {result.rule.minutes:g} minutes allowed: {precision} "
            f"after {done}"
        ),
        "limit": f"a usage limit came before the target of {result.rule} was reached: {precision} after {done}",
        "unfinished": f"the run was stopped before the target of {result.rule} was reached: {precision} after {done}",
    }[result.ended] + f". Intervals are slightly wider, to allow for {counted(result.planned, 'check')}."
    if (needed := result.clips_needed) is not None:
        said += (
            f" More passes over the same {result.clips} clips hardly narrow the interval, because clips differ: use "
            f"about {needed} clips for {amount(result.rule.width, result.rule.unit)}."
        )
    return said
