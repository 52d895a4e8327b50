"""Tables of comparisons: metrics, contributions of roles, and the ladder.

`at` is the path of the comparison in the JSON that goes with the table, as in `bench compare --json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.findings import Report
from firstpacket.bench.compare.ladder import Ladder, Step
from firstpacket.bench.compare.roles import Contributions
from firstpacket.bench.format import counted
from firstpacket.bench.summary.path import ROLES
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Cell, Column, Place, Row, Table, rows, table, words

Placed = tuple[Comparison, Place]
DIFFERENCES: tuple[Column[Placed], ...] = (
    Column("difference", lambda each: estimate(each[0].difference, each[0].unit, (*each[1], "difference"))),
    Column("ratio", lambda each: estimate(each[0].ratio, "ratio", (*each[1], "ratio"))),
    Column("pairs", lambda each: single(each[0].pairs, "count", (*each[1], "pairs"))),
    words("dropped", lambda each: reasons(each[0].lost) or "none"),
)
METRIC: Column[Placed] = words("metric", lambda each: each[0].title)
LABEL: Column[Placed] = words("label", lambda each: each[0].other)
AGAINST: Column[Placed] = words("against", lambda each: each[0].base)
OF_METRICS = (METRIC, *DIFFERENCES)
OF_LABELS = (METRIC, LABEL, AGAINST, *DIFFERENCES)
SUMS = "Over pairs with a critical path on both sides; the roles add up. A share is of the mean difference."
PAIRED = "Pair by pair: same clip, same block, same segment of the run. A negative difference means less."
ROLE_WORDS = {
    "wait": "waiting for the end of speech",
    "listen": "listening",
    "think": "thinking (the language model)",
    "speak": "speaking",
    "move": "moving sound",
    "": "not accounted for by any stage",
}


def headlines(found: Sequence[Comparison]) -> Table:
    """One row per pair of labels and metric."""
    return table(
        "Differences, medians of pairs [95 % CI]",
        OF_LABELS,
        [rows(OF_LABELS, [(each, ()) for each in found])],
    )


def differences(found: Report, at: Place = ()) -> Iterator[Table]:
    """One table per pair of labels, a row per metric; a page folds all but the first."""
    for place, pair in enumerate(found.findings):
        there = [(each, (*at, "findings", place, "metrics", n)) for n, each in enumerate(pair.metrics)]
        yield table(
            f"{pair.headline.other} - {pair.headline.base}: medians of pairs [95 % CI]",
            OF_METRICS,
            [rows(OF_METRICS, there)],
            notes=() if place or pair.headline.pairing == "clip" else (PAIRED,),
            folded=place > 0,
        )


def contributions(found: Report, at: Place = ()) -> Iterator[Table]:
    """A row per role and a column per pair of labels: what the role adds to the mean difference of the first packet,
    and its share if there is a difference. Nothing if no pair has a critical path on both sides."""
    pairs = [
        (each.contributions, (*at, "findings", place, "contributions")) for place, each in enumerate(found.findings)
    ]
    roles = [role for role in ROLES if any(role in each.roles for each, _ in pairs)]
    if not roles:
        return
    columns: list[Column[str]] = [words("role", lambda role: ROLE_WORDS[role])]
    columns += [_of_pair(each, there) for each, there in pairs]
    totals = (estimate(each.total, "ms", (*there, "total")) for each, there in pairs)
    yield table(
        "What the differences are made of, means in ms [95 % CI]",
        columns,
        [rows(columns, roles, role=lambda role: role or "none"), (Row((("together",), *totals), kind="sum"),)],
        notes=[SUMS, *(f"{each.other} - {each.base}: {_counts(each.pairs, each.lost)}." for each, _ in pairs)],
    )


def _of_pair(found: Contributions, at: Place) -> Column[str]:
    def cell(role: str) -> Cell:
        if role not in found.roles:
            return ("",)
        mean = estimate(found.roles[role], "ms", (*at, "roles", role))
        share = found.shares.get(role)
        return mean if share is None else (*mean, ", ", *single(share, "share", (*at, "shares", role)))

    return Column(f"{found.other} - {found.base}", cell)


def ladder_table(found: Ladder, at: Place = ()) -> Table:
    """One row per step: what changed, the mean difference, its share of the whole, and the whole."""
    columns: tuple[Column[tuple[int, Step]], ...] = (
        words("from", lambda each: each[1].base),
        words("to", lambda each: each[1].other),
        words("changed", lambda each: each[1].changed),
        Column(
            "difference",
            lambda each: estimate(each[1].difference, found.unit, (*at, "steps", each[0], "difference")),
        ),
        Column("share", lambda each: single(each[1].share, "share", (*at, "steps", each[0], "share"))),
    )
    whole = estimate(found.whole, found.unit, (*at, "whole"))
    last = Row(((found.labels[0],), (found.labels[-1],), ("everything",), whole, ("",)), kind="sum")
    return table(
        f"Step by step: {found.title}, means [95 % CI]",
        columns,
        [rows(columns, enumerate(found.steps)), (last,)],
        notes=[
            "Over the turns that every label answered; the steps add up to the whole.",
            f"{_counts(found.whole.n if found.whole else 0, found.lost)}.",
        ],
    )


def reasons(lost: Mapping[str, int]) -> str:
    """Why pairs were dropped: `2 (timeout of direct), 1 (silent of cascade)`."""
    return ", ".join(f"{n} ({reason})" for reason, n in lost.items())


def _counts(pairs: int, lost: Mapping[str, int]) -> str:
    said = counted(pairs, "pair")
    return f"{said}, {sum(lost.values())} dropped: {reasons(lost)}" if lost else said
