"""What a client sees of a server, from turns made of numbers: pace, sessions, round trips, limits, repeats, order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.runs import MS, make_evidence, make_turn

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.metrics.order import order_effect
from firstpacket.bench.metrics.same_clip import same_clip
from firstpacket.bench.metrics.server import Pace, server
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.report.servers import paced
from firstpacket.bench.timing.spans import Message, Session, TurnTrace


def turns(*figures: dict[str, Any], **changes: Any) -> list[Turn]:
    return [
        make_turn(100, turn=number, utterance=f"clip-{number}", figures=each, **changes)
        for number, each in enumerate(figures)
    ]


def pace(*rtf: float | None) -> Pace:
    """Of replies with these RTFs; one without came in one packet."""
    found = server(turns(*({"packets": 1} if each is None else {"rtf_steady": each} for each in rtf)), is_remote=True)
    assert found is not None and found.pace is not None
    return found.pace


@pytest.mark.parametrize(
    ("rtf", "said"),
    [
        ((1.0, 0.97, 1.04, 0.3), "paced by the server"),
        ((1.0, 0.97, 0.3, 0.3), "ahead of playback"),
        ((0.2, 0.3, None), "ahead of playback, 1 of 3 in one packet"),
        ((1.4, 1.2), "slower than playback"),
        ((None, None), "every reply in one packet"),
        ((1.0, None), "paced by the server"),
    ],
)
def test_the_pace_of_the_audio(rtf: tuple[float | None, ...], said: str) -> None:
    assert paced(pace(*rtf)) == said
    assert pace(*rtf).paced == (said == "paced by the server")


def test_sessions_count_whatever_came_of_their_turns() -> None:
    made = turns({"session_setup": 300 * MS}, {}, {"session_setup": 500 * MS})
    made[2] = make_turn("busy", turn=2, figures={"session_setup": 500 * MS}, flags=("session_renewed",))
    found = server(made, is_remote=True)
    assert found is not None and found.sessions is not None
    assert (found.sessions.made, found.sessions.setup.value, found.sessions.renewed) == (2, 400.0, (2,))


def test_round_trips_over_the_turns() -> None:
    found = server(turns(*({"round_trip": ms * MS} for ms in (5, 9, 6))), is_remote=False)
    assert found is not None and found.round_trips is not None
    trips = found.round_trips
    assert (trips.median.value, trips.fastest, trips.jitter) == (6.0, 5.0, 3.5)


def test_warm_ups_and_replies_that_were_left_have_no_pace_but_use_up_limits() -> None:
    aside = {"rtf_steady": 0.2, "round_trip": 90 * MS, "rate_limit_left": 0.1}
    made = turns({"rtf_steady": 1.0, "round_trip": 5 * MS, "rate_limit_left": 0.5})
    made += turns(aside, phase="warmup")
    found = server(made + turns({"rtf_steady": 0.2}, flags=("left_early",)), is_remote=True)
    assert found is not None and found.pace is not None and found.round_trips is not None
    assert (found.pace.replies, found.round_trips.median.value, found.rate_limit_left) == (1, 5.0, 0.1)


def test_what_a_user_waits_for_beyond_the_servers_own_figure_is_paired_by_turn() -> None:
    """The median of the differences, 60 ms; the medians differ by 70 ms."""
    rows = [(100, 40), (300, 200), (500, 450)]
    made = [make_turn(first, turn=n, figures={"server.e2e": own * MS}) for n, (first, own) in enumerate(rows)]
    found = server(made, is_remote=True)
    assert found is not None and found.over_e2e is not None
    assert (found.over_e2e.value, found.over_e2e.n) == (60.0, 3)


def test_a_system_without_a_server_has_none() -> None:
    assert server(turns({}, {}), is_remote=False) is None
    assert server(turns({}, {}), is_remote=True) is not None


def limits(*bodies: Any) -> float | None:
    messages = tuple(Message(False, "rate_limits.updated", 0, 1, body=body) for body in bodies)
    return turn_figures(make_evidence(TurnTrace(messages=messages))).figures.get("rate_limit_left")


def limited(**entry: Any) -> str:
    return json.dumps({"rate_limits": [{"limit": 100, "remaining": 90}, entry]})


def test_the_tightest_limit_counts() -> None:
    assert limits(limited(limit=1000, remaining=80), limited(limit=10, remaining=5)) == 0.08


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", '{"rate_limits": 3}', '{"rate_limits": [3, null, []]}', "[" * 100_000,
        '{"rate_limits": [{"limit": 0, "remaining": 0}]}', '{"rate_limits": [{"limit": "9", "remaining": true}]}',
        '{"rate_limits": [{"limit": 1, "remaining": -5}]}', '{"rate_limits": [{"limit": NaN, "remaining": Infinity}]}',
    ],
)  # fmt: skip
def test_limits_that_make_no_sense_are_none(body: str) -> None:
    assert limits(body) is None


def test_a_renewed_session_is_a_flag() -> None:
    for renewed in (True, False):
        trace = TurnTrace(session=Session(0, 1, 2, renewed))
        assert ("session_renewed" in turn_figures(make_evidence(trace)).flags) == renewed


def passes(*blocks: float, clips: int = 8, label: str = "a", **changes: Any) -> list[Turn]:
    """One turn per clip in every block, of so many ms; clips differ."""
    return [
        make_turn(ms + 10 * clip, label=label, utterance=f"clip-{clip}", block=block, **changes)
        for block, ms in enumerate(blocks)
        for clip in range(clips)
    ]


def test_later_turns_on_a_clip_are_compared_with_the_first() -> None:
    found = same_clip(passes(200, 100, 100))
    assert found is not None and found.notable
    assert (found.ratio.n, found.ratio.clusters) == (8, 8)
    assert found.ratio.value == pytest.approx(0.572, abs=0.01)
    uneven = same_clip(passes(200, 100, 150, 150))
    assert uneven is not None and uneven.ratio.value > 0.7, "the median of the later ones"
    steady = same_clip(passes(100, 98, 101))
    assert steady is not None and not steady.notable
    slower = same_clip(passes(100, 200))
    assert slower is not None and not slower.notable


def test_a_clip_that_was_heard_before_is_not_heard_for_the_first_time() -> None:
    warm_up = make_turn(300, utterance="clip-0", phase="warmup")
    found = same_clip([warm_up, *passes(200, 100)])
    assert found is not None and found.ratio.n == 7
    again = same_clip([*passes(200, 100), warm_up])
    assert again is not None and again.ratio.n == 8
    assert same_clip(passes(100)) is None, "no clip twice"


def alternating(first_ms: float, later_ms: float, blocks: int = 4, clips: int = 8) -> list[Turn]:
    """`a` and `b` by turns; whichever comes second on a clip takes `later_ms`."""
    made = []
    for block in range(blocks):
        for clip in range(clips):
            order = ("a", "b") if (block + clip) % 2 else ("b", "a")
            for label, ms in zip(order, (first_ms, later_ms), strict=True):
                made.append(make_turn(ms + 10 * clip, label=label, utterance=f"clip-{clip}", block=block))
    return made


def test_turns_after_another_system_s_are_compared_with_those_before() -> None:
    found = order_effect(alternating(200, 150), "a")
    assert found is not None and found.notable
    assert found.later.value == pytest.approx(-50.0)
    assert found.first_ms == 235, "200 ms and the median of what clips add"
    assert order_effect([*alternating(200, 150), *passes(900, phase="warmup")], "a") == found
    even = order_effect(alternating(200, 201), "a")
    assert even is not None and not even.notable
    assert order_effect(passes(100, 100), "a") is None, "nothing else runs"
