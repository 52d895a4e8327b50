"""How much more a gate must measure, from the noise so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

from firstpacket.bench.format import counted, with_sign
from firstpacket.bench.gate.change import FALSE_ALARMS, LEAST_STARTS, MISSED
from firstpacket.bench.gate.decision import LEAST_CHANGE, Change
from firstpacket.bench.gate.plan import USUAL_BETWEEN_SD, Plan
from firstpacket.bench.gate.result import Check
from firstpacket.bench.stats.replicates import units_needed

UNKNOWN_NOISE = 0.1
"""Assumed standard deviation between pairs of turns until it has been measured."""
SHARE = 1 / 3
"""Of an error that one look in the middle spends, roughly."""


def noise(checks: Sequence[Check]) -> tuple[float, float | None]:
    """The largest standard deviations within and between pairs of processes; the latter None if it is not known."""
    changes = [check.change for check in checks if check.change and check.change.unit == "start"]
    within = [change.within_sd for change in changes if change.within_sd is not None]
    between = [change.between_sd for change in changes if change.between_sd is not None]
    return max(within, default=UNKNOWN_NOISE), max(between, default=None)


def forecast(plan: Plan, checks: Sequence[Check], resolution: float) -> str:
    """What the check that needs most still needs, in a line of progress."""
    needs = [(starts_needed(plan, check, resolution) or 0, check) for check in checks]
    most, check = max(needs, key=lambda each: each[0])
    line = f"after {counted(len(plan.costs), 'start')}: {check.label}: {check.limit.name}: {_so_far(check)}"
    if not most:
        return line
    more = max(1, max(most, LEAST_STARTS) - len(plan.costs))
    minutes, left = more * plan.next_start_s / 60, (plan.budget_s - plan.spent_s) / 60
    line += f"; needs about {more * plan.pairs} more pairs, {_minutes(minutes)}"
    if minutes > left:
        line += f", but only {_minutes(left)} are left (--max-minutes)"
    return line


def starts_needed(plan: Plan, check: Check, resolution: float) -> int | None:
    """How many starts, in all, will decide a check if the change is what it seems; None if nothing was compared."""
    change = check.change
    if change is None or change.ratio is None:
        return None
    logs, allowed = math.log(change.ratio.value), math.log1p(check.limit.max_regression)
    deviation = unit_sd(plan, change)
    slower = logs - allowed - math.log1p(LEAST_CHANGE)
    same = allowed + math.log1p(resolution) - logs
    ways = [(slower, FALSE_ALARMS * SHARE), (same, MISSED * SHARE)]
    needed = [units_needed(deviation, margin, level) for margin, level in ways]
    return min((count for count in needed if count is not None), default=None)


def unit_sd(plan: Plan, change: Change) -> float:
    """Standard deviation of the value of one start, with as many pairs as the next one will have."""
    between = USUAL_BETWEEN_SD if change.between_sd is None else change.between_sd
    within = UNKNOWN_NOISE if change.within_sd is None else change.within_sd
    return math.hypot(between, within / math.sqrt(plan.pairs))


def _so_far(check: Check) -> str:
    if check.change is None or check.change.ratio is None:
        return check.reason
    ratio = check.change.ratio
    low, high = (with_sign(end - 1, "share") for end in (ratio.interval_95.low, ratio.interval_95.high))
    return f"{with_sign(ratio.value - 1, 'share')} ({low} to {high})"


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes < 10 else f"{minutes:.0f} min"
