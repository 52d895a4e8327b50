import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.gate.verdict import Change, Rule, Spread, judge
from firstpacket.bench.stats.bootstrap import Interval


def spread(value: float, half: float) -> Spread:
    return Spread(value, Interval(value - half, value + half, 0.9), Interval(value - 1.2 * half, value + 1.2 * half))


def change(percent: float, half: float, base_ms: float = 100.0) -> Change:
    """A change of so many per cent, give or take."""
    return Change(100, 40, spread(1 + percent / 100, half / 100), spread(base_ms * percent / 100, base_ms * half / 100))


@pytest.mark.parametrize(
    ("percent", "half", "rule", "verdict"),
    [
        (5, 3, Rule(), "regressed"),
        (5, 4.5, Rule(), "inconclusive"),
        (0, 3, Rule(), "same"),
        (0, 3.4, Rule(), "inconclusive"),
        (-5, 3, Rule(), "improved"),
        (1.5, 0.2, Rule(band=0.02), "same"),  # within what the same code shows against itself
        (1.5, 0.2, Rule(band=0.01), "regressed"),
        (7, 1, Rule(max_regression=0.1), "same"),
        (12, 0.5, Rule(max_regression=0.1), "regressed"),
        (10, 3, Rule(max_regression=0.1), "same"),
        (10, 4, Rule(max_regression=0.1), "inconclusive"),
        (5, 3, Rule(floor_ms=6), "same"),  # 5 ms are no regression where 6 are the floor
        (5, 3, Rule(floor_ms=4), "regressed"),
        (1, 4, Rule(floor_ms=10), "same"),  # whatever it is, it is under 10 ms
    ],
)
def test_verdicts(percent: float, half: float, rule: Rule, verdict: str) -> None:
    assert judge(change(percent, half), rule) == verdict


def test_without_pairs_the_verdict_is_inconclusive() -> None:
    assert judge(Change(0, 0, None, None), Rule()) == "inconclusive"


@pytest.mark.parametrize(
    ("difference_ms", "half", "verdict"),
    [(20, 5, "regressed"), (0, 5, "same"), (-20, 5, "improved"), (10, 5, "inconclusive")],
)
def test_without_a_ratio_the_floor_in_milliseconds_decides(difference_ms: float, half: float, verdict: str) -> None:
    assert judge(Change(100, 40, None, spread(difference_ms, half)), Rule(floor_ms=10)) == verdict


@given(st.floats(-50, 100), st.floats(0, 50), st.floats(0, 0.2), st.floats(0, 0.2))
def test_a_slower_candidate_is_never_judged_better(percent: float, half: float, band: float, resolution: float) -> None:
    order = ["improved", "same", "inconclusive", "regressed"]
    rule = Rule(band=band, resolution=resolution)
    ranks = [order.index(judge(change(percent + more, half), rule)) for more in (0, 5, 20)]
    assert ranks == sorted(ranks)
