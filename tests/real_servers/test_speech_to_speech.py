"""Hugging Face's speech-to-speech answers a clip in real time, as `recordings/` has it."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from real_servers.clip import is_recognised, samples
from real_servers.process import HOST, Server

pytest.importorskip("websockets")

from real_servers.realtime_turn import Turn, play

pytestmark = pytest.mark.real_server
RECORDING = Path(__file__).parent / "recordings" / "hf-speech-to-speech-1.1.0.jsonl"
RATE = 24_000
"""The only one that it accepts: any other makes the whole `session.update` invalid. Without one it is 16 kHz."""


@pytest.fixture(scope="module")
def turn(speech_to_speech: Server) -> Turn:
    return play(f"ws://{HOST}:{speech_to_speech.port}/v1/realtime", samples(RATE), RATE)


def test_it_hears_the_question_and_answers(turn: Turn) -> None:
    (heard,) = turn.received("conversation.item.input_audio_transcription.completed")
    assert is_recognised(heard.event["transcript"])
    (done,) = turn.received("response.done")
    assert done.event["response"]["status"] == "completed"
    sound = np.frombuffer(
        b"".join(each.audio or b"" for each in turn.received("response.output_audio.delta")), np.int16
    )
    assert len(sound) > RATE // 2 and np.abs(sound).max() > 1000


def test_its_own_figures_come_with_the_answer(turn: Turn) -> None:
    (done,) = turn.received("response.done")
    figures = json.loads(done.event["response"]["metadata"]["speech_to_speech.turn_latency"])
    assert figures["status"] == "completed"
    parts = [figures[name] for name in ("stt_s", "llm_s", "tts_ttfa_s", "vad_decision_s")]
    assert min(parts) > 0 and max(parts) < figures["e2e_s"]


def test_the_recording_is_what_it_sends_today(turn: Turn, tmp_path: Path) -> None:
    """Types and fields of its events in order, whatever their number."""
    now = tmp_path / RECORDING.name
    turn.write(now)
    assert shape(now) == shape(RECORDING), f"if it should differ now, copy {now} to {RECORDING}"


def shape(recording: Path) -> list[tuple[str, tuple[str, ...]]]:
    events = [json.loads(line) for line in recording.read_text("utf-8").splitlines()]
    fields = [(one["event"]["type"], tuple(sorted(one["event"]))) for one in events if one["from"] == "server"]
    return [each for each, _ in groupby(fields)]
