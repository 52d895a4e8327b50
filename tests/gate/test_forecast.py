"""Progress: how much more is needed."""

from support.gate_pairs import only, starts

from firstpacket.bench.gate.change import LEAST_STARTS, change
from firstpacket.bench.gate.checks import check_change
from firstpacket.bench.gate.forecast import forecast, starts_needed
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.plan import Plan
from firstpacket.bench.gate.result import Check
from firstpacket.bench.run.replicates import Cost

START = Cost(2.0, 4.0, 20)


def made(count: int, **noise: float) -> Check:
    return check_change("direct", Limit(), change(starts(count, **noise), only(count)), 0.04, {})


def test_after_the_first_start_it_says_how_long_a_verdict_takes() -> None:
    said = forecast(Plan(600, (START,)), [made(1)], 0.04)
    assert said.startswith("after 1 start: direct: first_packet_latency not slower: ")
    assert f"needs about {20 * (LEAST_STARTS - 1)} more pairs, 0.4 min" in said


def test_more_noise_needs_more_starts_and_more_than_there_is_time_for_is_said() -> None:
    plan = Plan(60, (START,) * 6)
    quiet, loud = (starts_needed(plan, made(6, between=between), 0.04) for between in (0.0, 0.1))
    assert quiet is not None and loud is not None and loud > 2 * quiet
    assert "but only 0.4 min are left (--max-minutes)" in forecast(plan, [made(6, between=0.1)], 0.04)


def test_nothing_measured_promises_nothing() -> None:
    check = Check("direct", Limit(), "inconclusive", "no pairs")
    assert forecast(Plan(600, (START,)), [check], 0.04).endswith(check.reason)
