"""The result of a run with `--precision`: whether its headline became precise enough, and what ended it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.stopping_decision import (
    NS_PER_MINUTE,
    GoOn,
    Look,
    Stop,
    decide,
    look_at,
    passes,
    reached,
    spent_ns,
    whole_passes,
)
from firstpacket.bench.record.rules import StoppingRule, amount
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.sequential import looks

Ended = Literal["narrow", "turns", "minutes", "unfinished"]
"""`unfinished`: stopped by its user, or not over yet."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The rule, what ended the run, and the last look, whose intervals are the final ones."""

    rule: StoppingRule
    ended: Ended
    look: Look
    planned: int
    """Largest number of looks."""
    stalled: bool
    clips: int
    """Clips of the corpus."""

    @computed
    def clips_needed(self) -> int | None:
        """About how many clips would be enough, by the square-root law; None unless more are needed."""
        width = self.look.widest.width
        if not self.stalled or width is None:
            return None
        return round(self.clips * (width / self.rule.width) ** 2)


def goal(run: Run) -> Goal | None:
    """None for a run with a fixed number of turns."""
    rule = run.manifest.stopping_rule
    if not rule:
        return None
    labels, turns = run.labels, run.measured()
    clips, planned = len(run.manifest.utterances), looks(rule.blocks)
    whole = min(whole_passes(turns, len(labels) * clips), rule.blocks)
    due = max((number for number in planned if number <= whole), default=0)
    decision = decide(turns, labels, rule, due)
    stalled = isinstance(decision, GoOn) and decision.stalled
    if due == whole and isinstance(decision, Stop):
        return Goal(rule, "narrow", decision.look, len(planned), stalled, clips)
    if whole == rule.blocks:
        return Goal(rule, "turns", decision.look, len(planned), stalled, clips)
    ended: Ended = "minutes" if spent_ns(run) >= rule.minutes * NS_PER_MINUTE else "unfinished"
    return Goal(rule, ended, look_at(turns, labels, rule, whole), len(planned), stalled, clips)


def notice(found: Goal) -> str:
    """How the run ended, in a sentence or two."""
    why = {
        "narrow": "reached",
        "turns": f"not reached, although all {passes(found.rule.blocks)} were measured",
        "minutes": f"not reached within {found.rule.minutes:g} minutes",
        "unfinished": "interrupted before it was reached",
    }[found.ended]
    said = (
        f"target precision {found.rule}: {why}; {reached(found.look, found.rule)} after "
        f"{passes(found.look.blocks)}. Intervals are widened so that all {found.planned} checks together have 95 % "
        "coverage."
    )
    if (needed := found.clips_needed) is not None:
        said += (
            f" More passes over the same {found.clips} clips hardly narrow the interval, because clips differ: use "
            f"about {needed} clips for {amount(found.rule.width, found.rule.unit)}."
        )
    return said
