"""The headline: one sentence on the first packet and the first audible sample, which is what users hear."""

from __future__ import annotations

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.sentences import basis, qualified
from firstpacket.bench.format import amount, number
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, metric
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Interval

PACKET, AUDIBLE = metric(HEADLINE).moment, metric(FIRST_AUDIBLE).moment


def headline(packet: Comparison, audible: Comparison | None) -> str:
    """Both comparisons of the same two labels; in parentheses the interval and number of pairs of each.

    `cascade sends its first packet 98 ms later than direct and its first audible sample 37 ms later (first packet:
    95 % CI 96 to 101 ms, 40 pairs on 8 clips; first audible: ...)`. Mentions it if the two verdicts differ.
    Without `audible` (turns ended after their first packet) it is about the first packet alone.
    """
    if audible is None:
        return qualified(f"{_on_packet(packet)} ({_evidence(packet)})", packet)
    differs = _differs(packet, audible)
    said = _on_packet(packet) + _on_audible(packet, audible, "but" if differs else "and")
    if differs:
        said += ": the two verdicts differ"
    evidence = f"first packet: {_evidence(packet)}; first audible: {_evidence(audible)}"
    return qualified(f"{said} ({evidence})", packet)


def _differs(packet: Comparison, audible: Comparison) -> bool:
    return "too few" not in (packet.finding, audible.finding) and packet.finding != audible.finding


def _on_packet(found: Comparison) -> str:
    if shift := _shift(found):
        return f"{found.other} sends its {PACKET} {shift} than {found.base}"
    if found.finding == "undecided":
        return f"No difference shown between {found.base} and {found.other} in time to {PACKET}"
    return f"Too few turns to tell a difference between {found.base} and {found.other} in time to {PACKET}"


def _on_audible(packet: Comparison, found: Comparison, joint: str) -> str:
    if shift := _shift(found):
        claim = f"its {AUDIBLE} {shift}"
        return f" {joint} {claim}" if _shift(packet) else f", {joint} {found.other} sends {claim}"
    if found.finding == packet.finding:
        return f" or {AUDIBLE}"
    if found.finding == "undecided":
        return f", {joint} no difference is shown in time to {AUDIBLE}"
    return f", {joint} there are too few turns to tell a difference in time to {AUDIBLE}"


def _shift(found: Comparison) -> str:
    """`98 ms later`; empty if the interval includes zero."""
    if found.difference is None or found.finding not in ("less", "more"):
        return ""
    return f"{amount(abs(found.difference.value), found.unit)} {'sooner' if found.finding == 'less' else 'later'}"


def _evidence(found: Comparison) -> str:
    interval = found.difference.interval if found.difference else None
    if interval is None:
        return f"{basis(found)}, and an interval needs {MIN_CLUSTERS} clips"
    if found.finding != "undecided":  # worded as sooner or later, so sizes have no sign
        low, high = sorted((abs(interval.low), abs(interval.high)))
        interval = Interval(low, high)
    return f"95 % CI {number(interval.low, found.unit)} to {amount(interval.high, found.unit)}, {basis(found)}"
