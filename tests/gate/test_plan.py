"""How a gate spends its time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.gate.change import LEAST_STARTS, MOST_STARTS
from firstpacket.bench.gate.plan import PAIRS, Plan, adapted, after_look, after_start
from firstpacket.bench.run.replicates import Cost


def carried_out(budget_s: float, starting_s: float, pair_s: float, within: float = 0.1, between: float = 0.01) -> Plan:
    """The plan after a gate that decides nothing, on a machine where everything always takes as long."""
    plan = Plan(budget_s)
    while plan.has_time:
        pairs = max(1, min(plan.pairs, round(plan.seconds / pair_s)))
        plan = after_start(plan, Cost(starting_s, pairs * pair_s, pairs))
        if len(plan.costs) == 1 or plan.look:
            plan = adapted(plan, within, between if len(plan.costs) >= LEAST_STARTS else None)
        if look := plan.look:
            plan = after_look(plan, look)
    return plan


@given(st.floats(10, 3600), st.floats(0.5, 60), st.floats(0.01, 5), st.floats(0.01, 0.6), st.floats(0, 0.05))
def test_the_budget_is_kept_and_the_last_look_is_at_the_end(
    budget_s: float, starting_s: float, pair_s: float, within: float, between: float
) -> None:
    plan = carried_out(budget_s, starting_s, pair_s, within, between)
    assert plan.looks[-1] == len(plan.costs)
    first = plan.costs[0]
    assert plan.spent_s <= max(budget_s, first.starting_s + first.pairs_s + 1e-6)
    assert len(plan.costs) <= MOST_STARTS
    assert list(plan.looks) == sorted(set(plan.looks))
    if len(plan.costs) >= LEAST_STARTS:
        assert plan.looks[0] >= LEAST_STARTS


@pytest.mark.parametrize(("starting_s", "pair_s"), [(2, 0.1), (10, 0.3), (30, 2)])
def test_there_are_enough_starts_where_the_budget_allows_five_of_the_shortest(starting_s: float, pair_s: float) -> None:
    budget_s = 1.5 * LEAST_STARTS * (starting_s + PAIRS[0] * pair_s) + 20 * pair_s
    assert len(carried_out(budget_s, starting_s, pair_s, between=0).costs) >= LEAST_STARTS


def test_processes_that_start_slowly_run_more_turns() -> None:
    assert carried_out(600, 20, 0.1).pairs > carried_out(600, 1, 0.1).pairs


def test_processes_that_differ_are_started_more_often() -> None:
    assert carried_out(600, 2, 0.1, between=0.03).pairs < carried_out(600, 2, 0.1, between=0.003).pairs


def test_a_start_that_takes_longer_than_expected_is_cut_short() -> None:
    starts = (Cost(2.0, 4.0, 20),) * 3
    assert Plan(600).seconds == 600 / (2 * LEAST_STARTS), "nothing is known: time for some more starts is left"
    assert Plan(600, starts, pairs=10).seconds == pytest.approx(3 * 10 * 0.2)
    assert Plan(22, starts, pairs=10).seconds == pytest.approx(22 - 18 - 2), "all that is left"
    assert Plan(18, starts, pairs=10).seconds == 0


def test_the_pairs_of_a_start_take_at_most_four_times_as_long_as_starting() -> None:
    assert carried_out(600, 1, 0.5, within=0.6, between=0).pairs == 4 * 1 / 0.5


def test_a_budget_for_one_start_makes_one_and_looks_at_it() -> None:
    plan = carried_out(5, 4, 0.5)
    assert len(plan.costs) == 1 and plan.looks == (1,)
