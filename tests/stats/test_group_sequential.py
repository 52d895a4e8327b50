"""Repeated looks with a total error that is kept."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri, stdtrit

from firstpacket.bench.stats.group_sequential import FIRST, boundaries, levels, looks, spent

SEQUENCES = 200_000


def test_looks_grow_by_the_square_root_of_two() -> None:
    assert looks(5, 60) == (5, 7, 10, 14, 20, 28, 40, 60)
    assert looks(5, 44) == (5, 7, 10, 14, 20, 28, 44)
    assert looks(5, 5) == (5,)


@given(st.integers(FIRST, 20), st.integers(0, 2000))
def test_looks_end_with_the_last_and_none_is_close_to_it(first: int, more: int) -> None:
    planned = looks(first, first + more)
    assert planned[-1] == first + more
    assert planned[0] == first or len(planned) == 1
    growth = [b / a for a, b in pairwise(planned)]
    assert all(1.25 <= each <= 1.5 for each in growth[:-1])
    assert all(1.15 <= each <= 1.75 for each in growth[-1:])


@pytest.mark.parametrize(
    "published, spending",
    [
        ((4.877, 3.357, 2.680, 2.290, 2.031), lambda t: 2 * ndtr(ndtri(0.0125) / math.sqrt(t))),
        ((2.438, 2.427, 2.410, 2.397, 2.386), lambda t: 0.025 * math.log(1 + (math.e - 1) * t)),
    ],
    ids=["O'Brien-Fleming", "Pocock"],
)  # fmt: skip
def test_boundaries_are_those_of_published_tables(
    published: tuple[float, ...], spending: Callable[[float], float]
) -> None:
    """Five looks, one-sided 0.025: the spending functions of Lan and DeMets (1983), as in Jennison and Turnbull."""
    shares = tuple(float(spending(look / 5)) for look in range(1, 6))
    assert boundaries((1, 2, 3, 4, 5), shares) == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("looks, constant", [(2, 2.178), (5, 2.413), (10, 2.555)])
def test_constant_boundaries_spend_the_error_they_are_published_for(looks: int, constant: float) -> None:
    """Jennison and Turnbull, table 2.1: constants of Pocock for 0.05 on two sides. What a look spends is bisected."""
    spending: list[float] = []
    for look in range(1, looks + 1):
        low, high = (spending[-1] if spending else 0.0), 0.05
        while high - low > 1e-7:
            middle = (low + high) / 2
            too_low = boundaries(tuple(range(1, look + 1)), (*spending, middle))[-1] < constant
            low, high = (low, middle) if too_low else (middle, high)
        spending.append(high)
    assert spending[-1] == pytest.approx(0.025, abs=5e-5)


def test_the_error_is_spent_equally_whenever_the_number_doubles() -> None:
    assert spent(20, 5, 160) - spent(10, 5, 160) == pytest.approx(spent(160, 5, 160) - spent(80, 5, 160))
    assert spent(160, 5, 160) == 1
    assert spent(5, 5, 160) == pytest.approx((spent(10, 5, 160) - spent(5, 5, 160)) / 2)


@given(st.integers(FIRST, 12), st.integers(0, 500), st.sampled_from([0.05, 0.005, 0.0005]), st.booleans())
def test_a_level_lies_between_what_its_look_spends_and_the_error(
    first: int, more: int, error: float, final: bool
) -> None:
    planned = looks(first, first + more)
    counts = planned[: max(1, len(planned) - 2)]
    shares = [error * spent(count, first, planned[-1]) for count in counts]
    shares[-1] = error if final else shares[-1]
    for level, before, after in zip(
        levels(counts, planned[-1], error, final=final), [0.0, *shares[:-1]], shares, strict=True
    ):
        assert after - before - 1e-12 <= level <= after + 1e-12


def test_levels_of_earlier_looks_do_not_change() -> None:
    planned = looks(5, 100)
    whole = levels(planned, 100, 0.01)
    for number in range(1, len(planned)):
        assert levels(planned[:number], 100, 0.01) == whole[:number]
        assert levels(planned[:number], 100, 0.01, final=True)[:-1] == whole[: number - 1]
        assert levels(planned[:number], 100, 0.01, final=True)[-1] > whole[number - 1]


def test_looks_that_are_close_have_levels_too() -> None:
    close = levels((5, 7, 999, 1000), 1000, 0.0025)
    assert 0 < close[-1] < close[-2] < 0.0025
    assert levels((5,), 5, 0.01) == pytest.approx((0.01,))


@pytest.mark.parametrize("first, most, error", [(5, 60, 0.05), (5, 60, 0.005), (8, 200, 0.05)])
def test_students_t_crosses_as_often_as_it_may(first: int, most: int, error: float) -> None:
    planned = looks(first, most)
    crossed = _crossed(planned, levels(planned, most, error))
    deviation = math.sqrt(error / SEQUENCES)
    assert abs(crossed - error) < 2.5 * deviation + 0.02 * error


def test_ending_early_keeps_the_error() -> None:
    planned = looks(5, 60)[:4]
    assert _crossed(planned, levels(planned, 60, 0.05, final=True)) == pytest.approx(0.05, rel=0.08)


def _crossed(planned: tuple[int, ...], nominal: tuple[float, ...]) -> float:
    """How often a sequence of normal values with mean 0 is significant at some look."""
    random = np.random.default_rng(1)
    mean, squares, crossed = np.zeros(SEQUENCES), np.zeros(SEQUENCES), np.zeros(SEQUENCES, bool)
    for before, count, level in zip((0, *planned[:-1]), planned, nominal, strict=True):
        mean, squares = _with_more(random, mean, squares, before, count - before)
        crossed |= mean / np.sqrt(squares / (count - 1) / count) > -stdtrit(count - 1, level)
    return float(crossed.mean())


def _with_more(
    random: np.random.Generator, mean: npt.NDArray[np.float64], squares: npt.NDArray[np.float64], n: int, more: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means and sums of squared deviations after more normal values, of which only those two are drawn."""
    of_more = random.standard_normal(SEQUENCES) / math.sqrt(more)
    within = random.chisquare(more - 1, SEQUENCES) if more > 1 else 0.0
    between = (of_more - mean) ** 2 * n * more / (n + more)
    return (n * mean + more * of_more) / (n + more), squares + within + between


@pytest.mark.parametrize(
    "counts, most, error",
    [((), 9, 0.1), ((3, 9), 9, 0.1), ((5, 5), 9, 0.1), ((5, 10), 9, 0.1), ((5,), 9, 0.0), ((5,), 9, 0.6)],
)
def test_impossible_plans_are_refused(counts: tuple[int, ...], most: int, error: float) -> None:
    with pytest.raises(ValueError):
        levels(counts, most, error)
    with pytest.raises(ValueError):
        looks(5, 4)
