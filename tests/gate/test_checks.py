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


def test_a_change_smaller_than_the_floor_is_no_regression() -> None:
    found = change(starts(6, 0.1), only(6))
    assert check_change("direct", Limit(floor_ms=5), found, 0.04, {}).verdict == "regressed"
    assert check_change("direct", Limit(floor_ms=50), found, 0.04, {}).verdict != "regressed"


def test_the_reason_has_the_cpu_time_and_names_dropped_pairs_only_where_no_others_are() -> None:
    found, dropped = change(starts(6), only(6)), {"b: timeout": 2}
    with_pairs = check_change("direct", Limit(), found, 0.04, dropped, change(starts(6, 0.1), only(6)))
    assert "; CPU time +" in with_pairs.reason and "left out" not in with_pairs.reason
    without = check_change("direct", Limit(), change([], only(6)), 0.04, dropped)
    assert "left out: 2 (b: timeout)" in without.reason and "CPU" not in without.reason


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


def test_a_ceiling_that_too_many_exceed_by_chance_is_open_and_more_turns_are_not_promised_to_help() -> None:
    """10 of 100 turns are late with a probability of 3 % where 5 % are late: more than the 1 % allowed."""
    values = [700.0] * 90 + [900.0] * 10
    check = check_ceiling("direct", Limit(statistic="p95", ceiling_ms=800), values, 0, only(5))
    assert check.verdict == "inconclusive" and "turns are needed" not in check.reason


def test_fewer_answers_fail_even_if_nothing_became_slower() -> None:
    gone = Pairs((), (), (), only_before=9)
    assert check_answers("direct", [gone], only(5)).verdict == "regressed"
    assert check_answers("direct", [Pairs((), (), (), only_after=9)], only(5)).verdict == "same"
    assert check_answers("direct", [gone], only(5)).limit.name == "no answers dropped"
