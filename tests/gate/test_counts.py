from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from firstpacket.bench.gate.counts import answers_dropped, over_ceiling, turns_needed

SHOWN, RULED_OUT = 0.01, 0.025


def test_a_ceiling_passes_only_with_enough_turns_under_it() -> None:
    assert turns_needed(0, 0.95, RULED_OUT) == 72  # 0.95^72 < 0.025 < 0.95^71
    assert turns_needed(0, 0.5, RULED_OUT) == 6
    assert over_ceiling(0, 71, 0.95, SHOWN, RULED_OUT) == "inconclusive"
    assert over_ceiling(0, 72, 0.95, SHOWN, RULED_OUT) == "same"
    assert over_ceiling(50, 72, 0.95, SHOWN, RULED_OUT) == "regressed"
    assert over_ceiling(0, 0, 0.95, SHOWN, RULED_OUT) == "inconclusive"


@given(st.integers(0, 30), st.sampled_from([0.5, 0.9, 0.95]))
def test_turns_needed_is_the_smallest_sufficient_number(late: int, q: float) -> None:
    needed = turns_needed(late, q, RULED_OUT)
    assert over_ceiling(late, needed, q, SHOWN, RULED_OUT) == "same"
    assert over_ceiling(late, needed - 1, q, SHOWN, RULED_OUT) == "inconclusive" or late > (needed - 1) * (1 - q)


@given(st.integers(1, 300), st.sampled_from([0.5, 0.9, 0.95]))
def test_error_rates_at_the_ceiling_are_within_the_stated_ones(turns: int, q: float) -> None:
    chances = {"regressed": 0.0, "same": 0.0, "inconclusive": 0.0}
    for late in range(turns + 1):
        chances[over_ceiling(late, turns, q, SHOWN, RULED_OUT)] += binom.pmf(late, turns, 1 - q)
    assert chances["regressed"] <= SHOWN
    assert chances["same"] <= RULED_OUT


def test_fewer_answers_are_reported_only_if_significant() -> None:
    assert answers_dropped(0, 0, SHOWN) == "same"
    assert answers_dropped(6, 0, SHOWN) == "same"  # 1/64
    assert answers_dropped(7, 0, SHOWN) == "regressed"  # 1/128
    assert answers_dropped(0, 20, SHOWN) == "same"
    assert answers_dropped(40, 35, SHOWN) == "same"
