import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.gate.decision import Change, Rule, Spread, decide
from firstpacket.bench.stats.bootstrap import Interval


def spread(value: float, half: float) -> Spread:
    """An estimate whose claims may be off by `half`, and whose upper bound for `same` by 80 % of it."""
    wide = Interval(value - half, value + half, 0.99)
    return Spread(value, wide, wide, value + 0.8 * half)


def change(percent: float, half: float, base_ms: float = 100.0) -> Change:
    """A change of so many per cent, give or take."""
    ratio, difference = spread(1 + percent / 100, half / 100), spread(base_ms * percent / 100, base_ms * half / 100)
    return Change(7, 140, 40, ratio, difference)


@pytest.mark.parametrize(
    ("percent", "half", "rule", "verdict"),
    [
        (5, 3, Rule(), "regressed"),
        (5, 4.5, Rule(), None),
        (0, 4.5, Rule(), "same"),
        (0, 5.5, Rule(), None),
        (-5, 3, Rule(), "improved"),
        (0.9, 0.05, Rule(), "same"),  # code that only moved can cost as much
        (1.5, 0.2, Rule(), "regressed"),
        (7, 1, Rule(max_regression=0.1), "same"),
        (12, 0.5, Rule(max_regression=0.1), "regressed"),
        (10, 3, Rule(max_regression=0.1), "same"),
        (10, 6, Rule(max_regression=0.1), None),
        (5, 1, Rule(floor_ms=6), "same"),  # 5 ms are no regression where 6 are the floor
        (5, 3, Rule(floor_ms=6), None),  # it may be more than 6 ms
        (5, 3, Rule(floor_ms=4), "regressed"),
        (1, 4, Rule(floor_ms=10), "same"),  # whatever it is, it is under 10 ms
    ],
)
def test_decisions(percent: float, half: float, rule: Rule, verdict: str | None) -> None:
    assert decide(change(percent, half), rule) == verdict


def test_without_pairs_nothing_is_decided() -> None:
    assert decide(Change(0, 0, 0, None, None), Rule()) is None


@pytest.mark.parametrize(
    ("difference_ms", "half", "verdict"), [(20, 5, "regressed"), (0, 5, "same"), (-20, 5, "improved"), (10, 5, None)]
)
def test_without_a_ratio_the_floor_in_milliseconds_decides(
    difference_ms: float, half: float, verdict: str | None
) -> None:
    assert decide(Change(7, 140, 40, None, spread(difference_ms, half)), Rule(floor_ms=10)) == verdict


@given(st.floats(-50, 100), st.floats(0, 50), st.floats(0, 0.2), st.floats(0, 0.2))
def test_a_slower_candidate_is_never_judged_better(percent: float, half: float, allowed: float, more: float) -> None:
    order = ["improved", "same", None, "regressed"]
    rule = Rule(max_regression=allowed, resolution=more)
    ranks = [order.index(decide(change(percent + further, half), rule)) for further in (0, 5, 20)]
    assert ranks == sorted(ranks)


@given(st.floats(-50, 100), st.floats(0, 20), st.floats(0, 20))
def test_more_noise_decides_nothing_else(percent: float, half: float, more: float) -> None:
    precise, vague = (decide(change(percent, width), Rule()) for width in (half, half + more))
    if vague in ("regressed", "improved"):
        assert precise == vague
