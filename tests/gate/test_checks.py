import pytest
from support.gate_pairs import measured, only, starts

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.change import change
from firstpacket.bench.gate.checks import check_answers, check_ceiling, check_change, dropped_pairs
from firstpacket.bench.gate.limits import Limit


@pytest.mark.parametrize(
    ("slower", "allowed", "verdict"),
    [(0.1, 0.0, "regressed"), (0.0, 0.0, "same"), (-0.1, 0.0, "improved"), (0.1, 0.2, "same"), (0.3, 0.2, "regressed")],
)
def test_the_verdict_follows_from_the_change_and_the_limit(slower: float, allowed: float, verdict: str) -> None:
    found = change(starts(6, slower), only(6))
    check = check_change("direct", Limit(max_regression=allowed), found, 0.04, {})
    assert (check.verdict, check.starts) == (verdict, 6)
    assert "120 pairs on 5 clips in 6 starts" in check.reason


def test_noise_leaves_it_open() -> None:
    found = change(starts(6, 0.02, between=0.05), only(6))
    assert check_change("direct", Limit(), found, 0.04, {}).verdict == "inconclusive"


def test_a_verdict_on_few_starts_says_what_it_assumes() -> None:
    check = check_change("direct", Limit(), change(starts(3, 0.2), only(3)), 0.04, {})
    assert check.verdict == "regressed"
    assert (
        "too few starts to tell how much processes differ, so 1.0 % is assumed, and no error rate is claimed"
        in check.reason
    )


def test_dropped_pairs_are_counted_over_all_starts() -> None:
    gone = Pairs((), (), (), {"b: timeout": 2})
    assert dropped_pairs([measured(), gone, gone]) == {"b: timeout": 4}


@pytest.mark.parametrize(
    ("values", "unanswered", "verdict"),
    [
        ([700.0] * 100, 0, "same"),
        ([700.0] * 100, 20, "regressed"),
        ([700.0] * 50, 0, "inconclusive"),
        ([900.0] * 10, 0, "regressed"),
    ],
)
def test_a_ceiling_counts_unanswered_turns_as_over_it(values: list[float], unanswered: int, verdict: str) -> None:
    check = check_ceiling("direct", Limit(statistic="p95", ceiling_ms=800), values, unanswered, only(5))
    assert check.verdict == verdict
    assert ("59 turns" in check.reason) == (verdict == "inconclusive")


def test_fewer_answers_fail_even_if_nothing_became_slower() -> None:
    gone = Pairs((), (), (), only_before=9)
    assert check_answers("direct", [gone], only(5)).verdict == "regressed"
    assert check_answers("direct", [Pairs((), (), (), only_after=9)], only(5)).verdict == "same"
    assert check_answers("direct", [gone], only(5)).limit.name == "no answers dropped"
