"""A player with and without a pre-roll, by hand and for any packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import make_evidence

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.metrics.player import play
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace

MS = 1_000_000


def packets(*timed: tuple[int, int]) -> tuple[PacketStamp, ...]:
    """Packets at so many ms, with so many ms of sound."""
    return tuple(PacketStamp(at * MS, media * 16, 16_000, 1) for at, media in timed)


THREE = packets((100, 20), (150, 20), (180, 20))
"""Played immediately, it stalls for 30 and for 10 ms; a pre-roll of 40 ms prevents both."""


@pytest.mark.parametrize(("pre_roll", "stalls"), [(0, (30, 10)), (20, (10, 10)), (35, (5,)), (40, ()), (1000, ())])
def test_a_longer_pre_roll_prevents_stalls(pre_roll: int, stalls: tuple[int, ...]) -> None:
    playback = play(THREE, pre_roll * MS)
    assert playback is not None
    assert playback.stalls_ns == tuple(stall * MS for stall in stalls)
    assert playback.smallest_pre_roll_ns == 40 * MS


def test_the_figures_are_those_of_the_declared_player() -> None:
    seen = make_evidence(TurnTrace(packets=THREE), pre_roll=20.0)
    found = turn_figures(seen).figures
    assert (found["stall_count"], found["stall_total"], found["underrun_max"]) == (2, 20 * MS, 10 * MS)
    assert found["first_packet_latency"] == 100 * MS
    assert found["gapless_first_audio"] == 140 * MS


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200)), min_size=1, max_size=12), st.integers(0, 800))
def test_no_pre_roll_smaller_than_the_smallest_avoids_stalls(gaps: list[tuple[int, int]], pre_roll: int) -> None:
    at, timed = 0, []
    for gap, media in gaps:
        at += gap
        timed.append((at, media))
    stamps = packets(*timed)
    plain = play(stamps)
    assert plain is not None
    needed_ns = plain.smallest_pre_roll_ns
    assert needed_ns == sum(plain.stalls_ns)
    played = play(stamps, pre_roll * MS)
    assert played is not None
    assert (played.stalls_ns == ()) == (pre_roll * MS >= needed_ns)
    assert sum(played.stalls_ns) == max(0, needed_ns - pre_roll * MS)
