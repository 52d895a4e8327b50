"""How noisy the machine was, what an inconclusive gate could tell, and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firstpacket.bench.format import amount
from firstpacket.bench.gate.decision import Change
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.paths import documentation


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


def advice(result: GateResult) -> Iterator[str]:
    """A line for every inconclusive check, and one for where to read on."""
    unclear = [check for check in result.failing if check.verdict == "inconclusive"]
    for check in unclear:
        yield f"{check.label}: {check.limit.name}: {_of(check)}"
    if unclear:
        yield f"see {documentation('gate')}"


def _of(check: Check) -> str:
    change = check.change
    if change is None or change.ratio is None or change.pairs == 0:
        return "nothing could be compared; look at the reasons above"
    ruled_out = change.ratio.ruled_out - 1
    said = f"the smallest slowdown that could be ruled out is {amount(ruled_out, 'share')}"
    return f"{said}. {_help(change)}"


def _help(change: Change) -> str:
    if change.band:
        return "Too few processes were started: allow more time with --max-minutes."
    between, within = change.between_sd or 0.0, change.within_sd or 0.0
    turns = within / max(1.0, change.pairs / max(1, change.starts)) ** 0.5
    noise = f"pairs of turns differ by {amount(within, 'share')}, pairs of processes by {amount(between, 'share')}"
    if between > turns:
        return f"Mostly processes differ ({noise}): allow more time (--max-minutes), or a larger resolution."
    return f"Mostly turns differ ({noise}): stop other work on the machine, or allow more time (--max-minutes)."
