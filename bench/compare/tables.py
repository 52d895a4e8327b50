"""Tables of comparisons: metrics, contributions of roles, and the ladder.

`path` is where the comparison is in the JSON that belongs to the table, as in `bench compare --json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.findings import Findings, Report
from firstpacket.bench.compare.ladder import Ladder, Step
from firstpacket.bench.compare.roles import Contributions
from firstpacket.bench.format import counted
from firstpacket.bench.summary.path import ROLES
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Cell, Column, JsonPath, Row, Table, rows, table, words

Located = tuple[Comparison, JsonPath]
DIFFERENCES: tuple[Column[Located], ...] = (
    Column("difference", lambda each: estimate(each[0].difference, each[0].unit, (*each[1], "difference"))),
    Column("ratio", lambda each: estimate(each[0].ratio, "ratio", (*each[1], "ratio"))),
    Column("pairs", lambda each: single(each[0].pairs, "count", (*each[1], "pairs"))),
    words("dropped", lambda each: reasons(each[0].dropped) or "none"),
)
METRIC: Column[Located] = words("metric", lambda each: each[0].title)
SYSTEM: Column[Located] = words("system", lambda each: each[0].other)
AGAINST: Column[Located] = words("against", lambda each: each[0].base)
OF_METRICS = (METRIC, *DIFFERENCES)
OF_SYSTEMS = (METRIC, SYSTEM, AGAINST, *DIFFERENCES)
SUMS = "Over pairs with a critical path on both sides; the roles add up."
SHARES = "A share is of the mean difference; there are none unless the median differs in the same direction."
PAIRED = "Pair by pair: same clip, same block, same segment of the run. A negative difference means less."
ROLE_WORDS = {
    "wait": "waiting for the end of speech",
    "listen": "listening",
    "think": "thinking (the language model)",
    "speak": "speaking",
    "move": "transferring audio",
    "opaque": "work that cannot be told apart",
    "": "not accounted for by any stage",
}


def headlines(comparisons: Sequence[Comparison]) -> Table:
    """One row per pair of systems and metric."""
    return table(
        "Differences, medians of pairs [95 % CI]",
        OF_SYSTEMS,
        [rows(OF_SYSTEMS, [(each, ()) for each in comparisons])],
    )


def differences(report: Report, path: JsonPath = ()) -> Iterator[Table]:
    """One table per pair of systems, one row per metric; a page folds all but the first."""
    for index, pair in enumerate(report.findings):
        located = [(each, (*path, "findings", index, "metrics", n)) for n, each in enumerate(pair.metrics)]
        yield table(
            f"{pair.headline.other} - {pair.headline.base}: medians of pairs [95 % CI]",
            OF_METRICS,
            [rows(OF_METRICS, located)],
            notes=() if index or pair.headline.pairing == "clip" else (PAIRED,),
            folded=index > 0,
        )


def contributions(report: Report, path: JsonPath = ()) -> Iterator[Table]:
    """A row per role and a column per pair of systems: the role's part of the mean difference of the first packet.

    Its share is given if the headline shows that difference too. No table if no pair has a critical path on both sides.
    """
    pairs = [
        (each.contributions, (*path, "findings", index, "contributions")) for index, each in enumerate(report.findings)
    ]
    roles = [role for role in ROLES if any(role in each.roles for each, _ in pairs)]
    if not roles:
        return
    columns: list[Column[str]] = [words("role", lambda role: ROLE_WORDS[role])]
    shares = [_shares(each) for each in report.findings]
    columns += [_of_pair(each, inner, of_pair) for (each, inner), of_pair in zip(pairs, shares, strict=True)]
    totals = (estimate(each.total, "ms", (*inner, "total")) for each, inner in pairs)
    yield table(
        "Differences by role, means in ms [95 % CI]",
        columns,
        [rows(columns, roles, role=lambda role: role or "none"), (Row((("total",), *totals), kind="sum"),)],
        notes=[
            SUMS,
            *([SHARES] if any(shares) else []),
            *_opaque([each for each, _ in pairs]),
            *(f"{each.other} - {each.base}: {_counts(each.pairs, each.dropped)}." for each, _ in pairs),
        ],
    )


def _opaque(pairs: Sequence[Contributions]) -> Iterator[str]:
    """Why a role contains others."""
    if black_boxes := dict.fromkeys(label for each in pairs for label in each.black_boxes):
        told = (
            f"{', '.join(black_boxes)} cannot be looked into: in comparisons with it, listening, thinking and speaking "
        )
        yield told + "are one role on both sides."


def _shares(pair: Findings) -> Mapping[str, float]:
    """By role; none where the headline contradicts the mean: parts of a difference that may not exist look absurd."""
    total, finding = pair.contributions.total, pair.headline.finding
    agree = total is not None and finding == ("less" if total.value < 0 else "more")
    return pair.contributions.shares if agree else {}


def _of_pair(pair: Contributions, path: JsonPath, shares: Mapping[str, float]) -> Column[str]:
    def cell(role: str) -> Cell:
        if role not in pair.roles:
            return ("",)
        mean = estimate(pair.roles[role], "ms", (*path, "roles", role))
        share = shares.get(role)
        return mean if share is None else (*mean, ", ", *single(share, "share", (*path, "shares", role)))

    return Column(f"{pair.other} - {pair.base}", cell)


def ladder_table(ladder: Ladder, path: JsonPath = ()) -> Table:
    """One row per step: what changed, the mean difference, its share of the total; then the total."""
    columns: tuple[Column[tuple[int, Step]], ...] = (
        words("from", lambda each: each[1].base),
        words("to", lambda each: each[1].other),
        words("changed", lambda each: each[1].changed),
        Column(
            "difference",
            lambda each: estimate(each[1].difference, ladder.unit, (*path, "steps", each[0], "difference")),
        ),
        Column("share", lambda each: single(each[1].share, "share", (*path, "steps", each[0], "share"))),
    )
    total = estimate(ladder.total, ladder.unit, (*path, "total"))
    last = Row(((ladder.labels[0],), (ladder.labels[-1],), ("total",), total, ("",)), kind="sum")
    return table(
        f"Step by step: {ladder.title}, means [95 % CI]",
        columns,
        [rows(columns, enumerate(ladder.steps)), (last,)],
        notes=[
            "Over the turns that every system answered; the steps add up to the total.",
            f"{_counts(ladder.total.n if ladder.total else 0, ladder.dropped)}.",
        ],
    )


def reasons(dropped: Mapping[str, int]) -> str:
    """Why pairs were dropped: `2 (timeout of direct), 1 (silent of cascade)`."""
    return ", ".join(f"{n} ({reason})" for reason, n in dropped.items())


def _counts(pairs: int, dropped: Mapping[str, int]) -> str:
    text = counted(pairs, "pair")
    return f"{text}, {sum(dropped.values())} dropped: {reasons(dropped)}" if dropped else text
