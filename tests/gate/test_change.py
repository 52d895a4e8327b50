"""What changes look like: estimates, bounds, and who is the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_pairs import measured, only, starts

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.change import DEFAULT_BAND, LEAST_STARTS, Look, change, change_since, spread
from firstpacket.bench.gate.decision import LEAST_CHANGE
from firstpacket.bench.stats.bootstrap import Interval


def test_a_slowdown_of_every_pair_is_found_exactly() -> None:
    before = tuple(100.0 + number for number in range(20))
    one = Pairs(before, tuple(1.05 * value for value in before), tuple(str(number % 5) for number in range(20)))
    found = change([one] * 6, only(6))
    assert (found.starts, found.pairs, found.clips) == (6, 120, 5)
    assert found.ratio is not None and found.difference_ms is not None
    assert found.ratio.value == pytest.approx(1.05)
    assert found.ratio.shown.low == pytest.approx(found.ratio.ruled_out) == pytest.approx(1.05)
    assert found.difference_ms.value == pytest.approx(0.05 * 109.5)
    assert (found.between_sd, found.within_sd, found.band) == (pytest.approx(0), pytest.approx(0), 0.0)


@given(st.integers(LEAST_STARTS, 12), st.floats(-0.2, 0.2))
def test_swapping_the_sides_inverts_the_ratio(count: int, slower: float) -> None:
    made = starts(count, slower)
    swapped = [Pairs(pairs.after, pairs.before, pairs.clips) for pairs in made]
    one, other = change(made, only(count)).ratio, change(swapped, only(count)).ratio
    assert one is not None and other is not None
    assert one.value == pytest.approx(1 / other.value)
    assert one.shown.low == pytest.approx(1 / other.shown.high)


def test_the_unit_is_the_start_not_the_turn() -> None:
    """A hundred times as many turns of the same processes leave it as uncertain where processes differ."""
    few, many = (change(starts(8, between=0.03, n=n), only(8)).ratio for n in (10, 1000))
    assert few is not None and many is not None
    assert _width(many.interval_95) > 0.5 * _width(few.interval_95)


def test_what_processes_differ_by_is_estimated() -> None:
    alike, unlike = (change(starts(40, within=0.1, between=between), only(40)) for between in (0.0, 0.05))
    assert alike.between_sd is not None and alike.between_sd < 0.02
    assert unlike.between_sd == pytest.approx(0.05, rel=0.4)
    assert unlike.within_sd == pytest.approx(0.1 * 2**0.5 * 1.15, rel=0.2)  # of a mean of the middle


def test_two_kinds_of_turns_do_not_move_it() -> None:
    """Every tenth turn takes half as long again, on either side: an unlucky share of them is no slowdown."""
    random = np.random.default_rng(1)
    made = []
    for _ in range(6):
        before, after = 100 * np.exp(0.01 * random.standard_normal((2, 40)))
        after[:5] *= 1.5
        made.append(Pairs(tuple(before), tuple(after), ("clip",) * 40))
    ratio = change(made, only(6)).ratio
    assert ratio is not None and abs(ratio.value - 1) < 0.01


def test_too_few_starts_are_widened_by_a_band_and_say_so() -> None:
    found = change(starts(LEAST_STARTS - 1, between=0.02), only(LEAST_STARTS - 1))
    assert (found.band, found.between_sd) == (DEFAULT_BAND, None)
    same = [Pairs((100.0,) * 20, (103.0,) * 20, ("clip",) * 20)] * 2
    found = change(same, only(2))
    assert found.ratio is not None and found.difference_ms is not None
    assert found.ratio.shown.low == pytest.approx(1.03 / (1 + DEFAULT_BAND))
    assert found.difference_ms.shown.low == pytest.approx(3.0 - 100 * DEFAULT_BAND)


def test_a_start_without_a_pair_does_not_count() -> None:
    found = change([*starts(5), Pairs((), (), ())], only(6))
    assert found.starts == 5 and found.ratio is not None


@pytest.mark.parametrize("made", [[], [Pairs((), (), ())], [Pairs((1.0,), (2.0,), ("clip",))]])
def test_without_enough_pairs_there_are_no_bounds(made: Sequence[Pairs]) -> None:
    found = change(made, only(max(1, len(made))))
    assert found.ratio is None and found.difference_ms is None


def test_answers_before_the_end_of_speech_have_no_ratio() -> None:
    found = change([Pairs((-20.0,) * 10, (5.0,) * 10, ("clip",) * 10)] * 5, only(5))
    assert found.ratio is None and found.difference_ms is not None
    assert found.difference_ms.value == 25.0


def test_more_looks_need_a_clearer_result() -> None:
    made = starts(10)
    once, often = change(made, only(10)).ratio, change(made, Look((5, 7, 10), 100)).ratio
    assert once is not None and often is not None
    assert often.shown.low < once.shown.low and often.ruled_out > once.ruled_out


def test_against_stored_runs_their_own_differences_count() -> None:
    """Ten stored runs that differ by 3 %: a new one that is 5 % slower is nothing unusual, 30 % is."""
    for slower, unusual in ((0.05, False), (0.3, True)):
        runs = starts(10, slower, within=0.001, between=0.03)
        found = change_since(runs, only(5))
        assert found.ratio is not None and found.between_sd == pytest.approx(0.03, rel=0.5)
        assert (found.ratio.shown.low > 1) == unusual


def test_one_stored_run_cannot_show_what_runs_differ_by() -> None:
    found = change_since([measured(0.05, 1)], only(5))
    assert (found.starts, found.unit, found.band, found.between_sd) == (1, "run", DEFAULT_BAND, None)


@pytest.mark.parametrize("count", [3, 5, 10])
def test_stored_runs_that_differ_by_2_percent_give_few_false_alarms(count: int) -> None:
    """The bound is so many standard deviations below the mean, whatever the runs: seen once, and then simulated."""
    claims, tries = 0.005, 200_000
    random = np.random.default_rng(count)
    one = np.exp(0.02 * random.standard_normal(count))
    found = change_since(
        [Pairs((value,), (1.0,), ("clip",)) for value in one], replace(only(5), false_alarms=claims)
    ).ratio
    assert found is not None
    deviations = np.log(found.value / found.shown.low) / np.log(one).std(ddof=1)
    stored = 0.02 * random.standard_normal((tries, count))
    new = 0.02 * random.standard_normal(tries)
    alarms = (new - stored.mean(1) - deviations * stored.std(1, ddof=1) > 0).mean()
    error = 3 * (claims * (1 - claims) / tries) ** 0.5
    assert claims - error < alarms < claims + error, "before the 1 % that is no change, which makes it less"
    alarms = (new - stored.mean(1) - deviations * stored.std(1, ddof=1) > np.log1p(LEAST_CHANGE)).mean()
    assert alarms < claims


def _width(interval) -> float:
    return interval.high - interval.low


def test_five_starts_are_enough_to_assume_nothing() -> None:
    bands = [change(starts(count), only(count)).band for count in (LEAST_STARTS - 1, LEAST_STARTS)]
    assert bands == [DEFAULT_BAND, 0.0]


def test_where_a_band_is_assumed_it_widens_every_bound_and_usual_levels_apply() -> None:
    found = spread(0.0, lambda level: Interval(-1.0, 1.0, level), only(3), 0.5)
    assert found is not None and found.ruled_out == 1.5
    assert {(each.low, each.high) for each in (found.interval_95, found.shown)} == {(-1.5, 1.5)}
    assert change(starts(3), replace(only(3), false_alarms=1e-9)) == change(starts(3), only(3))


def test_the_last_look_spends_what_is_left_and_a_look_that_is_the_only_one_all() -> None:
    assert Look((LEAST_STARTS,), 50).level(0.01) < Look((LEAST_STARTS,), 50, final=True).level(0.01)
    assert Look((3,), 3).level(0.01) == 0.01
