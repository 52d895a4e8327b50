"""Pictures of a turn: a stage of 100 ms, a packet at 200 ms, and a player that runs dry; all by hand."""

from __future__ import annotations

import re

import pytest
from support.runs import make_run
from support.traces import turn_of

from firstpacket.bench.analysis.turn_trace import OneTurn
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.report.turns.marks import area, blocks, ticks
from firstpacket.bench.report.turns.pictures import Picture, buffer_levels, heard_picture, stage_picture, stage_scale
from firstpacket.bench.timing.spans import GpuSpan, HandOff, PacketStamp, StageSpan, TurnTrace

MS = 1_000_000
T0 = 5_000 * MS
SCALE = Scale(0, 1000)


def packet(at_ms: int, length_ms: int, after: int | None = None) -> PacketStamp:
    return PacketStamp(T0 + at_ms * MS, length_ms, 1000, 1, after)


def one(pre_roll_ms: int = 0) -> OneTurn:
    """`asr` from 0 to 100 ms, `tts` from 100 to 200; 300 ms of audio come at 200, 100 ms at 250 and at 800."""
    trace = TurnTrace(
        spans=(
            StageSpan("asr", 1, T0, T0 + 100 * MS),
            StageSpan("tts", 1, T0 + 100 * MS, T0 + 200 * MS, 0, gpu=GpuSpan(1, T0 + 110 * MS, T0 + 190 * MS, 5)),
        ),
        hand_offs=(HandOff(0, "asr", 1, T0 + 100 * MS), HandOff(1, "tts", 1, T0 + 200 * MS)),
        packets=(packet(200, 300, 1), packet(250, 100), packet(800, 100)),
    )
    return turn_of(make_run({"a": [200]}), trace, T0, pre_roll_ms * MS)


def drawn(picture: Picture, lane: str, looks: str) -> str:
    found = next(each for each in picture.lanes if each.name == lane)
    return next(stroke.d for stroke in found.strokes if looks in stroke.looks)


def borders(d: str) -> list[tuple[int, int]]:
    """Left and right of rectangles."""
    return [(int(left), int(left) + int(wide)) for left, wide in re.findall(r"M(\d+) \d+h(\d+)v", d)]


def test_adjacent_intervals_are_merged_and_none_is_invisibly_narrow() -> None:
    assert blocks(SCALE, [(300, 400), (100, 200), (200, 250)], 4, 9) == "M100 4h150v9h-150zM300 4h100v9h-100z"
    assert borders(blocks(SCALE, [(500, 500.1)], 0, 9)) == [(500, 502)]


def test_intervals_outside_the_picture_are_not_drawn() -> None:
    assert borders(blocks(SCALE, [(-50, -10), (-10, 20), (990, 1500), (1200, 1300)], 0, 9)) == [(0, 20), (990, 1000)]
    assert ticks(SCALE, [-1, 10, 10.2, 1001], 0, 5) == "M10 0v5"


def test_the_highest_point_of_an_area_reaches_its_top() -> None:
    assert area(SCALE, [(0, 0), (100, 5), (200, 0)], 3, 20) == "M0 23L0 23L100 3L200 23L200 23z"
    assert area(SCALE, [(0, 0), (10, 0)], 3, 20) == ""


def test_stages_are_drawn_where_they_worked_up_to_the_first_packet() -> None:
    turn = one()
    scale = stage_scale([turn])
    assert (scale.start_ms, scale.end_ms) == (0, pytest.approx(240))
    picture = stage_picture(turn, scale)
    assert [lane.name for lane in picture.lanes] == ["critical path", "asr", "tts", "packets"]
    assert borders(drawn(picture, "asr", "host role-listen")) == [(0, 417)]
    assert borders(drawn(picture, "tts", "host role-speak")) == [(417, 833)]
    assert borders(drawn(picture, "tts", "gpu role-speak")) == [(458, 792)]
    path = [borders(stroke.d) for stroke in picture.lanes[0].strokes]
    assert sorted(each for found in path for each in found) == [(0, 417), (417, 833)]
    assert {rule.looks: rule.x for rule in picture.rules}["first"] == 833


def test_the_question_the_gap_and_the_stall_are_as_long_as_they_were() -> None:
    """The user speaks for 800 ms; 200 to 600 is played, it stalls until 800, and is over at 900: 1.7 s in all."""
    picture = heard_picture(one(), 800)
    assert borders(drawn(picture, "user", "speech")) == [(0, 471)]
    assert borders(drawn(picture, "player", "playing")) == [(588, 824), (941, 1000)]
    assert borders(drawn(picture, "player", "stalled")) == [(824, 941)]
    assert "stalled for 200 ms" in next(lane.said for lane in picture.lanes if lane.name == "player")


def test_the_players_buffer_level_is_drawn() -> None:
    assert buffer_levels(one()) == [
        (200, 0), (200, 300), (250, 250), (250, 350), (600, 0), (800, 0), (800, 100), (900, 0),
    ]  # fmt: skip


def test_a_pre_roll_fills_the_player_first() -> None:
    levels = buffer_levels(one(pre_roll_ms=100))
    assert levels[:6] == [(200, 0), (200, 300), (250, 300), (250, 400), (300, 400), (700, 0)]
    picture = heard_picture(one(pre_roll_ms=100), 800)
    assert borders(drawn(picture, "player", "pre-roll")) == [(588, 647)]


def test_a_turn_without_a_packet_has_pictures_too() -> None:
    turn = turn_of(make_run({"a": ["failed"]}), TurnTrace((StageSpan("asr", 1, T0, T0 + 100 * MS),)), T0)
    picture = stage_picture(turn, stage_scale([turn]))
    assert borders(drawn(picture, "asr", "host")) == [(0, 833)]
    assert [rule.looks for rule in picture.rules] == ["t0"]
    assert heard_picture(turn, 800).lanes[1].strokes == ()
