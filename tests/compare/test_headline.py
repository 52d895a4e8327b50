"""The headline has the first audible sound, and any contradiction between it and the first packet."""

from __future__ import annotations

import pytest

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.headline import headline
from firstpacket.bench.stats.bootstrap import Estimate, Interval

LATER, SOONER, UNDECIDED, TOO_FEW = (98.0, 95.0, 101.0), (-12.0, -15.0, -9.0), (3.0, -4.0, 9.0), None


def found(metric: str, shift: tuple[float, float, float] | None, dummy: bool = False) -> Comparison:
    difference = Estimate(5.0, 4, 2, None) if shift is None else Estimate(shift[0], 40, 8, Interval(*shift[1:]))
    title = {"first_packet_latency": "first packet", "response_latency": "first audible"}[metric]
    return Comparison(metric, title, "ms", "direct", "cascade", "turn", difference, None, {}, dummy)


def said(packet: tuple[float, float, float] | None, audible: tuple[float, float, float] | None) -> str:
    return headline(found("first_packet_latency", packet), found("response_latency", audible))


def test_both_moments_have_their_own_interval_and_basis() -> None:
    assert said(LATER, (37.0, 30.0, 44.5)) == (
        "cascade sends its first packet 98.0 ms later than direct and its first audible sample 37.0 ms later "
        "(first packet: 95 % CI 95.0 to 101 ms, 40 pairs on 8 clips; "
        "first audible: 95 % CI 30.0 to 44.5 ms, 40 pairs on 8 clips)"
    )


@pytest.mark.parametrize(
    ("packet", "audible", "claim"),
    [
        (LATER, SOONER, "than direct but its first audible sample 12.0 ms sooner: the two verdicts differ ("),
        (LATER, UNDECIDED, "than direct, but no difference is shown in time to first audible sample: the two verdicts"),
        (
            UNDECIDED,
            LATER,
            "packet, but cascade sends its first audible sample 98.0 ms later: the two verdicts differ (",
        ),
        (UNDECIDED, UNDECIDED, "between direct and cascade in time to first packet or first audible sample ("),
        (LATER, TOO_FEW, "direct, and there are too few turns to tell a difference in time to first audible sample ("),
        (TOO_FEW, TOO_FEW, "difference between direct and cascade in time to first packet or first audible sample ("),
    ],
)
def test_every_pair_of_verdicts(
    packet: tuple[float, float, float] | None, audible: tuple[float, float, float] | None, claim: str
) -> None:
    assert claim in said(packet, audible)


def test_only_verdicts_can_differ() -> None:
    assert "differ" not in said(LATER, LATER).partition("(")[0]
    assert "verdicts differ" not in said(LATER, TOO_FEW)


def test_an_undecided_interval_keeps_its_signs_and_a_missing_one_says_why() -> None:
    assert "(first packet: 95 % CI -4.0 to 9.0 ms, 40 pairs on 8 clips; first audible: 4 pairs on 2 clips, and an " in (
        said(UNDECIDED, TOO_FEW)
    )


def test_an_interval_of_a_decided_difference_has_no_signs() -> None:
    assert "first packet: 95 % CI 9.0 to 15.0 ms" in said(SOONER, SOONER)


def test_the_caveat_of_dummy_weights_appears_once() -> None:
    text = headline(found("first_packet_latency", LATER, dummy=True), found("response_latency", LATER, dummy=True))
    assert text.endswith("[times only; unmatched; the answers mean nothing]") and text.count("[") == 1
