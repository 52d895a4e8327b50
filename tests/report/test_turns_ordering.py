"""Which turns come first."""

from dataclasses import replace

import pytest
from support.runs import make_run

from firstpacket.bench.record.store import Run
from firstpacket.bench.report.turns.ordering import WORST, in_order_of_interest, in_order_of_rank, median_turn, ranks
from firstpacket.bench.report.turns.rows import choices, turn_rows


@pytest.fixture
def run() -> Run:
    """Turns 0 to 4 are `slow`'s, 5 to 9 `fast`'s; turn 9 is its cold one."""
    made = make_run({"slow": [400, "failed", 900, 600, 500], "fast": [40, 90, "interrupted", 60, 10]})
    return replace(made, turns=(*made.turns[:-1], replace(made.turns[-1], phase="cold")))


def test_unanswered_turns_rank_worst_and_then_slow_ones(run: Run) -> None:
    assert ranks(run) == {1: 1, 2: 2, 3: 3, 4: 4, 0: 5, 6: 1, 8: 2, 5: 3, 7: 4}


def test_turns_of_equal_rank_are_adjacent_and_cold_ones_last(run: Run) -> None:
    ordered = [turn.turn for turn in in_order_of_rank(run, ranks(run))]
    assert ordered == [1, 6, 2, 8, 3, 5, 4, 7, 0, 9]


def test_the_median_turn_is_the_nearest_to_the_median(run: Run) -> None:
    median = median_turn(run, "slow")
    assert median is not None
    assert median.turn == 3, "600 and 500 are as near to 550, and 600 came first"


def test_every_turn_is_listed_once() -> None:
    made = make_run({"a": [100 + at for at in range(40)], "b": [200 + at for at in range(40)]})
    ordered = [turn.turn for turn in in_order_of_interest(made, ranks(made))]
    assert sorted(ordered) == list(range(80))
    assert set(ordered[: 2 * WORST]) == {*range(30, 40), *range(70, 80)}
    assert set(ordered[2 * WORST : 2 * WORST + 2]) == {19, 59}
    rest = ordered[2 * WORST + 2 :]
    assert rest != sorted(rest)
    assert rest == [turn.turn for turn in in_order_of_interest(made, ranks(made))][2 * WORST + 2 :]


def test_no_turn_is_missing_from_the_rows(run: Run) -> None:
    rows = turn_rows(run, ranks(run))
    assert sorted(row.turn.turn for row in rows) == list(range(10))
    assert [row.rank for row in rows][-1] is None
    found = choices(run, rows)
    assert (found.labels, set(found.phases)) == (("slow", "fast"), {"measured", "cold"})
    assert set(found.outcomes) == {"answered", "failed", "interrupted"}
