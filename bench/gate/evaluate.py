"""All checks of a gate at one look. Pure: computed from the run and the look, so it can be repeated later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstpacket.bench.format import counted
from firstpacket.bench.gate.change import FALSE_ALARMS, Look
from firstpacket.bench.gate.checks import check_answers, check_ceiling, check_change, dropped_pairs
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.references import BaselineSource
from firstpacket.bench.gate.result import Check
from firstpacket.bench.metrics.definitions import HEADLINE, metric
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.code_version import BASE
from firstpacket.bench.summary.values import shown_value

CPU = "first_packet_cpu"
"""Reported next to the first packet, since other programs hardly change it. It decides nothing."""


def evaluate(run: Run, labels: Sequence[str], limits: Limits, source: BaselineSource, look: Look) -> tuple[Check, ...]:
    """The checks of all labels after the starts of the look."""
    wanted = {label: [limit for limit in limits.limits if limit.label in ("", label)] for label in labels}
    checks = sum(len(each) + 1 for each in wanted.values())
    look = replace(look, false_alarms=FALSE_ALARMS / checks)
    seen = up_to(run, look.counts[-1])
    return tuple(check for label in labels for check in _checks(seen, label, wanted[label], limits, source, look))


def up_to(run: Run, starts: int) -> Run:
    """The run as it was after so many starts, without turns that the user interrupted: they say nothing."""
    kept = (turn for turn in run.turns if turn.segment < starts and turn.outcome != "interrupted")
    return replace(run, turns=tuple(kept))


def _checks(
    run: Run, label: str, wanted: Sequence[Limit], limits: Limits, source: BaselineSource, look: Look
) -> tuple[Check, ...]:
    ceilings = tuple(_ceiling(run, label, limit, look) for limit in wanted if limit.ceiling_ms is not None)
    changes = [limit for limit in wanted if limit.ceiling_ms is None]
    if not changes and source.source is None:
        return ceilings
    if (refusal := source.refusal(run, label)) is not None:
        return (*ceilings, refusal)
    answers = check_answers(label, source.pairs(run, label, metric(Limit().metric)), look)
    sides = (label,) if source.source is None else (label, label + BASE)
    if silent := {side: why for side in sides if (why := _never_answered(run, side))}:
        reason = "; ".join(silent.values())
        made = tuple(Check(label, limit, "not comparable", reason, look.counts[-1]) for limit in changes)
        if label in silent and answers.verdict != "regressed":
            answers = replace(answers, verdict="not comparable", reason=reason)
    else:
        made = tuple(_change(run, label, limit, limits.resolution, source, look) for limit in changes)
    return (*ceilings, *made, answers)


def _never_answered(run: Run, label: str) -> str:
    """That a label answered no turn at all, in words; empty if it answered one, or had none.

    Cold turns count by themselves: where others end with their first packet, a silent reply looks like an answer.
    """
    cold = [turn for turn in run.turns if turn.label == label and turn.phase == "cold"]
    for turns, kind in ((run.measured(label), "measured turn"), (cold, "cold turn")):
        if turns and not any(turn.is_answered for turn in turns):
            return f"{label} answered none of {counted(len(turns), kind)}"
    return ""


def _change(run: Run, label: str, limit: Limit, resolution: float, source: BaselineSource, look: Look) -> Check:
    pairs = source.pairs(run, label, metric(limit.metric))
    cpu = source.change(source.pairs(run, label, metric(CPU)), look) if limit.metric == HEADLINE else None
    known_cpu = cpu if cpu and cpu.ratio else None
    return check_change(label, limit, source.change(pairs, look), resolution, dropped_pairs(pairs), known_cpu)


def _ceiling(run: Run, label: str, limit: Limit, look: Look) -> Check:
    turns = run.measured(label)
    values = [shown_value(turn, metric(limit.metric)) for turn in turns]
    unanswered = sum(not turn.is_answered for turn in turns)
    return check_ceiling(label, limit, [value for value in values if value is not None], unanswered, look)
