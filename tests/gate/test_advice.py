"""What an inconclusive gate says."""

from support.gate_pairs import only, starts

from firstpacket.bench.gate.advice import advice, noise_seen
from firstpacket.bench.gate.change import change
from firstpacket.bench.gate.checks import check_change
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.result import Check, GateResult


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
    assert "Mostly processes differ" in said and "minutes would be needed" in said
    assert more.startswith("see ")


def test_turns_that_differ_are_named() -> None:
    (said, _) = advice(result(made(6, within=0.5, n=10)))
    assert "Mostly turns differ" in said and "stop other work" in said


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
