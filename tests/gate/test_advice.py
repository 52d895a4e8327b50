"""What an inconclusive gate says."""

from support.gate_pairs import only, starts

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.advice import advice, noise_seen
from firstpacket.bench.gate.change import change
from firstpacket.bench.gate.checks import check_ceiling, check_change
from firstpacket.bench.gate.forecast import forecast
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.plan import Plan
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.run.replicates import Cost

PLAN = Plan(600, (Cost(2.0, 2.0, 20),))


def result(check: Check, **more: float) -> GateResult:
    return GateResult("git abc", (check,), minutes=10, resolution=0.04, **more)  # type: ignore[arg-type]


def made(count: int, **noise: float) -> Check:
    return check_change("direct", Limit(), change(starts(count, **noise), only(count)), 0.04, {})


def test_processes_that_differ_are_named_with_the_time_that_would_be_enough() -> None:
    check = made(8, slower=0.03, within=0.02, between=0.06)
    assert check.verdict == "inconclusive" and check.change is not None and check.change.ratio is not None
    (said, more) = advice(result(check))
    ruled_out = 100 * (check.change.ratio.ruled_out - 1)
    assert f"the smallest slowdown that could be ruled out is {ruled_out:.1f} %" in said
    assert "Most of the noise is between processes" in said and "minutes would be needed" in said
    assert more.startswith("see ")


def test_turns_that_differ_are_named() -> None:
    (said, _) = advice(result(made(6, within=0.5, n=10)))
    assert "Most of the noise is between turns" in said and "stop other work" in said


def test_few_starts_are_the_first_thing_to_change() -> None:
    (said, _) = advice(result(made(2, within=0.5)))
    assert "Too few processes were started: allow more time with --max-minutes" in said


def test_nothing_measured_is_said() -> None:
    (said, _) = advice(result(Check("direct", Limit(), "inconclusive", "no pairs")))
    assert "nothing could be compared" in said


def test_a_verdict_needs_no_advice_but_names_its_noise() -> None:
    check = made(8, within=0.02)
    assert check.verdict == "same"
    assert list(advice(result(check))) == []
    (noise,) = noise_seen([check])
    assert "pairs of processes differ by" in noise and "95 % CI" in noise


def advised(check: Check) -> str:
    assert check.verdict == "inconclusive"
    return next(advice(result(check)))


def test_a_ceiling_needs_more_turns_not_another_look_at_pairs() -> None:
    check = check_ceiling("a", Limit(statistic="p95", ceiling_ms=800), [100.0] * 20, 0, only(1))
    assert "0 of 20 turns took over 800 ms" in advised(check) and "--max-minutes" in advised(check)
    assert "0 of 20 turns took over 800 ms" in forecast(PLAN, [check], 0.04)


def test_values_that_are_not_positive_need_a_floor() -> None:
    pairs = [Pairs((-20.0, -21.0, -20.0, -19.0) * 5, (-19.0, -20.0, -21.0, -20.0) * 5, ("clip",) * 20)] * 5
    check = check_change("a", Limit(), change(pairs, only(5)), 0.04, {})
    assert "only floor-ms counts, which is 0 ms" in advised(check)
    assert "100 pairs" in forecast(PLAN, [check], 0.04)


def test_pairs_say_how_many_more_are_needed() -> None:
    check = check_change("a", Limit(), change(starts(5, 0.03, between=0.02), only(5)), 0.04, {})
    assert "needs about" in forecast(PLAN, [check], 0.04)


def test_few_pairs_need_more_time() -> None:
    check = check_change("a", Limit(), change([Pairs((8.0, 8.1), (8.1, 8.0), ("clip",) * 2)], only(1)), 0.04, {})
    assert "--max-minutes" in advised(check)
