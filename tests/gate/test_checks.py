import numpy as np
import pytest

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.checks import Noise, check_answers, check_ceiling, check_change, refused, to_measure_again
from firstpacket.bench.gate.limits import Limit

NOISE = Noise(0.01, "least")


def measured(slower: float, seed: int, n: int = 100, dropped: dict[str, int] | None = None) -> Pairs:
    random = np.random.default_rng(seed)
    before, after = 100 * np.exp(0.05 * random.standard_normal((2, n)))
    clips = tuple(f"clip {number % 20}" for number in range(n))
    return Pairs(tuple(before), tuple(after * (1 + slower)), clips, dropped or {})


def held(*rounds: Pairs, limit: Limit | None = None, noise: Noise = NOISE):
    return check_change("direct", limit or Limit(), rounds, noise, 0.04)


def test_a_failed_check_is_measured_again_before_it_is_a_regression() -> None:
    once = held(measured(0.1, 1))
    assert once.verdict == "regressed"
    assert to_measure_again([once, check_answers("direct", [measured(0, 1)])]) == ("direct",)
    twice = held(measured(0.1, 1), measured(0.1, 2))
    assert (twice.verdict, twice.rounds) == ("regressed", 2)
    assert twice.change is not None and twice.change.pairs == 200
    assert to_measure_again([twice]) == ()


def test_a_second_round_without_the_slowdown_does_not_confirm_it() -> None:
    check = held(measured(0.2, 1), measured(-0.02, 2))
    assert check.verdict == "inconclusive"
    assert "does not confirm" in check.reason


def test_the_same_code_passes_in_the_first_round() -> None:
    check = held(measured(0, 3))
    assert (check.verdict, check.rounds) == ("same", 1)
    assert "100 pairs on 20 clips" in check.reason
    assert to_measure_again([check]) == ()


def test_an_allowed_slowdown_passes_and_dropped_pairs_are_counted() -> None:
    check = held(measured(0.1, 1, dropped={"b: timeout": 2}), limit=Limit(max_regression=0.2))
    assert check.verdict == "same"
    assert check.dropped == {"b: timeout": 2}


def test_between_runs_the_noise_widens_every_interval() -> None:
    between = Noise(0.05, "A/A runs", between_runs=True)
    assert held(measured(0.06, 1)).verdict == "regressed"
    assert held(measured(0.06, 1), noise=between).verdict == "inconclusive"
    assert held(measured(0.2, 1), noise=between).verdict == "regressed"
    assert held(measured(0, 1), noise=between).verdict == "inconclusive"  # 5 % either way are more than 4 %


def test_more_rounds_do_not_add_pairs_to_a_saved_baseline() -> None:
    def by_clip(after: float) -> Pairs:
        return Pairs((100.0,) * 20, (after,) * 20, tuple(f"clip {number}" for number in range(20)))

    check = held(by_clip(110.0), by_clip(130.0), noise=Noise(0.01, "A/A runs", between_runs=True))
    assert check.change is not None and check.change.ratio is not None
    assert (check.change.pairs, check.change.clips, check.rounds) == (20, 20, 2)
    assert check.change.ratio.value == pytest.approx(1.2)


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
    check = check_ceiling("direct", Limit(statistic="p95", ceiling_ms=800), values, unanswered, 1)
    assert check.verdict == verdict
    assert ("72 turns" in check.reason) == (verdict == "inconclusive")


def test_fewer_answers_fail_even_if_nothing_became_slower() -> None:
    gone = Pairs((), (), (), only_before=9)
    assert check_answers("direct", [gone]).verdict == "regressed"
    assert check_answers("direct", [Pairs((), (), (), only_after=9)]).verdict == "same"
    assert check_answers("direct", [gone]).limit.name == "no answers dropped"


def test_a_check_that_cannot_be_decided_is_not_measured_again() -> None:
    assert to_measure_again([refused("direct", "no baseline", "none is stored")]) == ()


def test_without_pairs_the_check_is_inconclusive() -> None:
    check = held(Pairs((), (), ()))
    assert (check.verdict, check.reason) == ("inconclusive", "too few pairs: 0 pairs on 0 clips")
