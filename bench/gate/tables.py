"""Tables of a gate's checks and of the saved baselines."""

from __future__ import annotations

from collections.abc import Iterable

from firstpacket.bench.gate.baselines import Baseline
from firstpacket.bench.gate.fingerprint import key
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult, passes
from firstpacket.bench.tables.table import Column, Table, rows, table, words


def checks_table(result: GateResult) -> Table:
    """One row per check."""
    columns: tuple[Column[Check], ...] = (
        words("system", lambda check: check.label),
        words("limit", lambda check: check.limit.name),
        words("verdict", lambda check: verdict(check, result), lambda check: not passes(check.verdict, result.allow)),
        words("reason", lambda check: check.reason),
    )
    return table(f"Against {result.baseline}", columns, [rows(columns, result.checks)], notes=result.notices)


BASELINES: tuple[Column[Baseline], ...] = (
    words("baseline", lambda each: each.name),
    words("runs", lambda each: str(len(each.stored))),
    words("saved", lambda each: each.saved),
    words(
        "labels (key of their conditions)",
        lambda each: _unusable(each) or _keys(each),
        lambda each: bool(each.problem),
    ),
)


def _unusable(baseline: Baseline) -> str:
    return baseline.problem if baseline.outdated or not baseline.problem else f"damaged: {baseline.problem}"


def _keys(baseline: Baseline) -> str:
    return ", ".join(f"{label} ({key(found)})" for label, found in baseline.labels.items())


def baselines_table(found: Iterable[Baseline]) -> Table:
    """One row per baseline."""
    return table("", BASELINES, [rows(BASELINES, found)])


def verdict(check: Check, result: GateResult) -> str:
    """The verdict, and whether it passes only because it is allowed to."""
    allowed = EXIT_CODES[check.verdict] != 0 and passes(check.verdict, result.allow)
    return f"{check.verdict} (allowed)" if allowed else check.verdict
