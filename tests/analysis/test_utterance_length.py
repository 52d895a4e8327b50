"""What each second of a question adds to the wait for its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.html import read_back
from support.runs import MS, make_run, make_turn, make_utterance_facts

from firstpacket.bench.analysis.utterance_length import lengths
from firstpacket.bench.record.store import Run

SECONDS = [1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 6.0, 8.0]


@pytest.fixture(scope="module")
def run() -> Run:
    """`waits` takes 20 ms per second of speech, and is heard 5 ms per second later than its packet; `streams` varies
    with the rest of a block, whatever the length."""
    rests = [3.0, -2.0, 1.0, -3.0, 2.0, -1.0, 3.0, -2.0]
    turns = []
    for clip, (seconds, rest) in enumerate(zip(SECONDS, rests, strict=True)):
        for label, first_ms, per_s in (("waits", 100 + 20 * seconds, 5.0), ("streams", 25 + rest, 0.0)):
            heard = {"response_latency": round((first_ms + per_s * seconds) * MS)}
            turns.append(make_turn(first_ms, label=label, utterance=f"clip-{clip}", figures=heard))
    facts = make_utterance_facts(len(SECONDS))
    return make_run(
        [replace(turn, turn=number) for number, turn in enumerate(turns)],
        utterances=tuple(
            replace(each, speech_end_ms=1000 * seconds) for each, seconds in zip(facts, SECONDS, strict=True)
        ),
    )


def test_both_moments_of_the_answer_have_a_slope_with_an_interval(run: Run) -> None:
    waits, streams = lengths(run).labels
    assert waits.line and waits.audible_line and streams.line
    assert waits.line.slope.value == pytest.approx(20)
    assert waits.audible_line.slope.value == pytest.approx(25)
    assert streams.line.slope.interval and streams.line.slope.interval.contains(0)
    assert waits.line.slope.interval and not waits.line.slope.interval.contains(0)


def test_the_report_shows_both(run: Run) -> None:
    said = read_back(run)
    assert said["/utterance_length/labels/waits/line/slope/value"] == "+20.0 ms"
    assert said["/utterance_length/labels/waits/audible_line/slope/value"] == "+25.0 ms"


def test_turns_that_ended_at_their_first_packet_have_no_audible_slope() -> None:
    left = make_run({"a": [100.0] * 8}, leave_after="first_packet")
    assert lengths(replace(left, turns=tuple(_unheard(left)))).labels[0].audible_line is None


def _unheard(run: Run):
    for turn in run.turns:
        yield replace(turn, figures={name: ns for name, ns in turn.figures.items() if name != "response_latency"})
