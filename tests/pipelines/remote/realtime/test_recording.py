"""A turn recorded with the real speech-to-speech 1.1.0: the protocol is understood as the server speaks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.realtime_dialects import FAKES
from support.realtime_turns import loaded

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.timing.spans import Message
from firstpacket.pipelines.remote.realtime.dialect import load_dialect
from firstpacket.pipelines.remote.realtime.events import parse
from firstpacket.pipelines.remote.realtime.timeline import APPEND, SILENCE, build_timeline
from firstpacket.pipelines.remote.realtime.turn import Turn

RECORDING = Path(__file__).parents[3] / "real_servers/recordings/hf-speech-to-speech-1.1.0.jsonl"
HF = load_dialect("hf")
RATE = 24_000
MS = 1_000_000


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDING.read_text("utf-8").splitlines()]


def spoken_ms() -> float:
    """Where speech ends in the clip that was sent."""
    (clip,) = [each for each in load_corpus("demo").utterances if each.id == "capital"]
    return clip.speech_end_ms


def messages(lines: list[dict[str, Any]]) -> list[Message]:
    """As a connection records them; a frame is due when it has been spoken."""
    found, position_ns, until_ns = [], 0, spoken_ms() * MS
    for line in lines:
        event, at_ns, audio = line["event"], line["at_ns"], line.get("audio_bytes", 0)
        sent = line["from"] == "client"
        body = json.dumps(event)
        if event["type"] == APPEND:
            body = SILENCE if position_ns >= until_ns else ""
        found.append(
            Message(
                sent, event["type"], at_ns, line["bytes"], at_ns, at_ns, "", audio, position_ns if sent else 0, body
            )
        )
        position_ns += audio // 2 * 1_000 * MS // RATE if sent else 0
    return found


def test_the_endpoint_is_when_the_server_had_heard_enough_not_when_it_says_so(lines: list[dict[str, Any]]) -> None:
    found = build_timeline(messages(lines), HF)
    stages = {stage: (end_ns - start_ns) / MS for stage, start_ns, end_ns in found.stages}
    said_ms = next(line["at_ns"] for line in lines if line["event"]["type"].endswith("speech_stopped")) / MS
    assert found.endpoint_ns is not None
    assert said_ms - found.endpoint_ns / MS > 1_000, "it says so together with its reply"
    figures = dict(found.figures)
    # By its detector the user finished later than annotated: its figures are too good, all by the same time.
    late_ms = stages["endpoint"] - figures["endpoint decision"] / MS
    assert 50 < late_ms < 210
    assert stages["endpoint"] + stages["wait"] - figures["e2e"] / MS == pytest.approx(late_ms, abs=20)
    assert [kind for kind, *_ in found.texts] == ["partial", "partial", "transcript", "reply"]


def test_the_turn_is_answered(lines: list[dict[str, Any]]) -> None:
    turn = Turn(HF, manual=False)
    turn.speech_over = True
    for line in lines:
        if line["from"] == "server":
            assert not turn.over
            audio = {"delta": "AAA="} if "audio_bytes" in line else {}
            turn.received(parse(json.dumps({**line["event"], **audio}), HF))
    assert turn.over and turn.judge() == ""


def test_what_the_fake_says_comes_in_the_order_of_the_real_server(lines: list[dict[str, Any]]) -> None:
    server = FAKES["hf"].server()
    assert loaded(server, dialect="hf").turn().outcome == "answered"
    real = [line["event"]["type"] for line in lines if line["from"] == "server"]
    fake = [event["type"] for event in server.peers[-1].said]
    places = [real.index(kind) for kind in dict.fromkeys(fake) if "transcript.delta" not in kind]
    assert places == sorted(places)
