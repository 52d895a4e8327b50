from __future__ import annotations

import numpy as np
import pytest
from support.series import NOISES, levels, make_series

from firstpacket.bench.history.changes import MIN_RUNS, changes

pytest.importorskip("ruptures")

QUIET = [200.0, 202.0, 199.0, 201.0, 198.0, 200.5, 201.5, 199.5]


def found(values: list[float]) -> list[tuple[str, float, float]]:
    return [(change.point.run, change.before, change.after) for change in changes(make_series(values))]


def test_a_step_is_dated_to_its_first_run_with_the_medians_around_it() -> None:
    after = [value + 20 for value in QUIET]
    assert found(QUIET + after) == [("8", 200.25, 220.25)]
    (change,) = changes(make_series(QUIET + after))
    assert change.ratio == pytest.approx(220.25 / 200.25)


def test_a_step_back_is_a_second_change() -> None:
    slow = [value + 20 for value in QUIET[:4]]
    assert [run for run, *_ in found(QUIET + slow + QUIET)] == ["8", "12"]


def test_a_single_slow_run_is_never_a_change() -> None:
    for place in range(len(QUIET)):
        values = QUIET + QUIET
        values[place] *= 10
        assert found(values) == [], place


def test_a_step_shows_with_the_second_run_after_it() -> None:
    assert found([*QUIET, 240.0]) == []
    assert found([*QUIET, 240.0, 241.0]) == [("8", 200.25, 240.5)]


def test_too_few_runs_give_no_change() -> None:
    values = [100.0] * (MIN_RUNS // 2) + [200.0] * (MIN_RUNS - 1 - MIN_RUNS // 2)
    assert found(values) == []
    assert found([*values, 200.0]) != []


def test_runs_that_do_not_differ_have_no_noise_and_no_change() -> None:
    assert found([200.0] * 20) == []
    assert found([200.0] * 10 + [200.1] * 10) == []  # half a per mille: below what is taken for noise
    assert found([200.0] * 10 + [210.0] * 10) == [("10", 200.0, 210.0)]


def test_values_below_zero_change_without_a_ratio() -> None:
    (change,) = changes(make_series([-50.0, -51.0, -49.0, -50.0, -50.5, 80.0, 81.0, 79.0, 80.0, 80.5]))
    assert (change.point.run, change.ratio) == ("5", None)


def test_noise_is_rarely_taken_for_a_change() -> None:
    random = np.random.default_rng(1)
    wrong = sum(bool(changes(make_series(levels(NOISES["normal"](12, random))))) for _ in range(300))
    assert wrong <= 6  # two in a hundred; tests/benchmarks/test_history_changes.py has the whole table
