"""How noisy the machine was, what an inconclusive gate could tell, and what would help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from firstpacket.bench.compare.pairs import clip_by_clip
from firstpacket.bench.format import amount, counted
from firstpacket.bench.gate.change import DEFAULT_BAND, LEAST_RUNS, runs_sd
from firstpacket.bench.gate.decision import Change, Spread
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.metrics.definitions import HEADLINE, metric
from firstpacket.bench.metrics.usage_limits import explain, what_to_do
from firstpacket.bench.paths import documentation
from firstpacket.bench.record.rules import LimitReached
from firstpacket.bench.record.store import Run


def noise_seen(checks: Iterable[Check]) -> Iterator[str]:
    """How much processes and turns differed, for every system."""
    for check in checks:
        change = check.change
        if change is not None and change.between_sd is not None and change.within_sd is not None:
            interval = change.between_sd_95
            known = f", 95 % CI {amount(interval.low, 'share')} to {amount(interval.high, 'share')}" if interval else ""
            yield (
                f"{check.label}: {check.limit.metric}: pairs of processes differ by "
                f"{amount(change.between_sd, 'share')} (standard deviation{known}), pairs of turns of the same "
                f"processes by {amount(change.within_sd, 'share')}"
            )


def ended_by_limit(check: Check, reached: LimitReached) -> Check:
    """A check of a gate that a usage limit ended: if it could not be decided, that is why."""
    if check.verdict != "inconclusive":
        return check
    return replace(check, reason=f"{check.reason}; {explain(reached)}")


def advice(result: GateResult) -> Iterator[str]:
    """A line for every inconclusive check, and one for where to read on."""
    unclear = [check for check in result.failing if check.verdict == "inconclusive"]
    if unclear and result.limit_reached is not None:
        yield f"{explain(result.limit_reached)}. {what_to_do(result.limit_reached)}"
    else:
        yield from (f"{check.label}: {check.limit.name}: {_of(check, result)}" for check in unclear)
    if unclear:
        yield f"see {documentation('gate')}"


def runs_differ(runs: Sequence[Run], label: str) -> str:
    """How much the first packets of a baseline's runs differ, in a sentence."""
    known = metric(HEADLINE)
    found = runs_sd([clip_by_clip(run, runs[0], label, known) for run in runs])
    if found is not None:
        return (
            f"{counted(len(runs), 'run')}, whose first packets differ by {amount(found, 'share')} (standard deviation)"
        )
    assumed = f"a gate assumes {amount(DEFAULT_BAND, 'share')}"
    if len(runs) < LEAST_RUNS:
        return f"{counted(len(runs), 'run')}: {LEAST_RUNS} or more show how much runs differ; {assumed}"
    return f"{counted(len(runs), 'run')}: how much they differ cannot be told from their first packets"


def _of(check: Check, result: GateResult) -> str:
    change = check.change
    if check.limit.ceiling_ms is not None:
        return f"{check.reason}. Allow more time with --max-minutes."
    if change is not None and change.pairs and change.difference_ms is None:
        return "allow more time with --max-minutes"
    if change is None or change.difference_ms is None:
        return "nothing could be compared; see the reasons above"
    if change.ratio is None:
        known, floor = amount(change.difference_ms.ruled_out, "ms"), amount(check.limit.floor_ms, "ms")
        return (
            f"the smallest slowdown that could be ruled out is {known}. Some values are not positive, so shares mean "
            f"nothing and only floor-ms counts, which is {floor}: raise it, or allow more time with --max-minutes."
        )
    ruled_out = change.ratio.ruled_out - 1
    text = f"the smallest slowdown that could be ruled out is {amount(ruled_out, 'share')}"
    needed = _minutes_needed(check, change.ratio, result)
    return f"{text}. {_help(change)}{f' About {needed:.0f} minutes would be needed.' if needed else ''}"


def _minutes_needed(check: Check, ratio: Spread, result: GateResult) -> float | None:
    """By the square-root law; None if the change is so close to the resolution that no time would be enough."""
    allowed = math.log1p(check.limit.max_regression)
    margin = allowed + math.log1p(result.resolution) - math.log(ratio.value)
    reached = math.log(ratio.ruled_out) - math.log(ratio.value)
    if margin <= 0 or reached <= margin:
        return None
    return result.minutes * (reached / margin) ** 2


def _help(change: Change) -> str:
    if change.unit == "run":
        return _help_with_runs(change)
    if change.band:
        return "Too few processes were started: allow more time with --max-minutes."
    between, within = change.between_sd or 0.0, change.within_sd or 0.0
    turns = within / max(1.0, change.pairs / max(1, change.starts)) ** 0.5
    noise = f"pairs of turns differ by {amount(within, 'share')}, pairs of processes by {amount(between, 'share')}"
    if between > turns:
        return (
            f"Most of the noise is between processes ({noise}): allow more time (--max-minutes), or a larger "
            "resolution."
        )
    return (
        f"Most of the noise is between turns ({noise}): stop other work on the machine, or allow more time "
        "(--max-minutes)."
    )


def _help_with_runs(change: Change) -> str:
    """More time does not help: the stored runs limit what can be told."""
    other = "compare with --against, which measures both versions at the same time"
    if change.band:
        return f"Save more runs of the baseline's version (bench baseline save; {LEAST_RUNS} or more), or {other}."
    return f"Stored runs differ by {amount(change.between_sd or 0.0, 'share')}: save more of them, or {other}."
