"""The voice behind a Wyoming server, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.wyoming_engine import Rig, received, texts
from support.wyoming_server import MS, Behaviour, info, program, requests, sound, voice
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event, Eventable

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Samples, TurnEnded
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.pipelines.cascade.tts.wyoming import WyomingTTS
from firstpacket.pipelines.remote.wyoming.protocol import WyomingError

Make = Callable[..., Rig[WyomingTTS]]
Said = list[tuple[Samples, int, float]]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda behave, **options: Rig(monkeypatch, WyomingTTS, behave, **options)


def turn(made: Rig[WyomingTTS], text: str = "Good morning.") -> tuple[Said, TurnTrace, int]:
    """Chunks with their rate and the ms at which they came, the trace, and when the turn began."""
    trace = made.prepared()
    begun_ns = made.clock.now_ns()
    said = [(*chunk, (made.clock.now_ns() - begun_ns) / MS) for chunk in made.engine.speak(text, trace)]
    return said, trace.finish(), begun_ns


def speaking(*events: Eventable | Event) -> Behaviour:
    def behave(peer: Any) -> None:
        for _ in requests(peer, info(tts=program("tts")), "synthesize"):
            peer.send(*events)

    return behave


def test_chunks_are_passed_on_as_they_come(rig: Make) -> None:
    chunk = AudioChunk(22_050, 2, 1, np.full(100, -16384, np.int16).tobytes())

    def behave(peer: Any) -> None:
        for _ in requests(peer, info(tts=program("tts")), "synthesize"):
            peer.send(AudioStart(22_050, 2, 1))
            for _ in range(3):
                peer.after(25).send(chunk)
            peer.after(5).send(AudioStop())

    said, trace, begun_ns = turn(rig(behave).loaded())
    assert [(rate, ms) for _, rate, ms in said] == [(22_050, 25), (22_050, 50), (22_050, 75)]
    assert said[0][0].dtype == np.float32 and said[0][0].tolist() == [-0.5] * 100
    assert received(trace, begun_ns)[-2:] == [("audio-chunk", 75), ("audio-stop", 80)]
    audio = [message for message in trace.messages if message.type == "audio-chunk"]
    assert [message.audio_bytes for message in audio] == [200] * 3
    assert all("rate" in message.body and len(message.body) < 100 for message in audio)


def test_a_server_that_takes_text_in_parts_may_pause_between_sentences(rig: Make) -> None:
    """One audio-start, -chunk, -stop per sentence, then synthesize-stopped."""
    made = rig(voice(answer_ms=50, sentences=2, streams=True)).loaded()
    for _ in range(2):
        said, trace, begun_ns = turn(made)
        assert [ms for _, _, ms in said] == [50, 50, 50, 100, 100, 100]
        assert received(trace, begun_ns)[-1] == ("synthesize-stopped", 100)
    types = [event.type for _, event in made.server.peers[-1].received]
    parts = ["synthesize-start", "synthesize-chunk", "synthesize", "synthesize-stop"]
    assert types == ["describe", *parts, "describe", *parts]
    assert made.engine.facts()["tts_text"] == "in parts"


def test_text_can_be_sent_whole(rig: Make) -> None:
    made = rig(voice(), tts_streaming=False).loaded()
    turn(made)
    assert [event.type for _, event in made.server.peers[-1].received] == ["describe", "synthesize"]
    assert made.engine.facts()["tts_text"] == "whole"


@pytest.mark.parametrize("streams", [False, True])
def test_the_voice_that_is_asked_for(rig: Make, streams: bool) -> None:
    def asked(**options: Any) -> list[Any]:
        made = rig(voice(streams=streams), **options).loaded()
        turn(made)
        requested = [event for _, event in made.server.peers[-1].received if event.type != "describe"]
        return [event.data.get("voice") for event in requested if event.type != "synthesize-chunk"]

    assert asked()[0] is None
    assert asked(tts_voice="tiny")[0] == {"name": "tiny"}
    assert asked(tts_voice="tiny", tts_speaker="2")[0] == {"name": "tiny", "speaker": "2"}
    assert asked(tts_language="de")[0] == {"language": "de"}


def test_a_voice_that_is_not_there(rig: Make) -> None:
    with pytest.raises(UsageError, match=r"it has no grand \(tts-voice\)\. It has tiny\."):
        rig(voice(), tts_voice="grand").loaded()


def test_several_phrases_in_one_turn_share_the_connection(rig: Make) -> None:
    made = rig(voice()).loaded()
    trace = made.prepared()
    for _ in range(3):
        assert len(list(made.engine.speak("Good morning.", trace))) == 3
    assert len(made.server.peers) == 2 and not trace.finish().marks


def test_a_server_that_ends_the_connection_after_a_phrase_gets_another_for_the_next(rig: Make) -> None:
    def behave(peer: Any) -> None:
        for _ in requests(peer, info(tts=program("tts")), "synthesize"):
            peer.send(*sound(30))
            peer.hang_up()
            return

    made = rig(behave).loaded()
    turn(made)
    trace = made.prepared()
    for _ in range(3):
        assert len(list(made.engine.speak("Good morning.", trace))) == 3
    assert [mark.name for mark in trace.finish().marks] == ["tts.connected"] * 2, "within the turn, but never unseen"


def test_that_a_server_ends_its_connections_is_learned_from_a_phrase_that_fails(rig: Make) -> None:
    """It ends them once the next phrase begins, so that nothing shows it before."""

    def behave(peer: Any) -> None:
        for number, _ in enumerate(requests(peer, info(tts=program("tts")), "synthesize")):
            if number:
                peer.hang_up()
                return
            peer.send(*sound(30))

    made = rig(behave).loaded()
    trace = made.prepared()
    assert len(list(made.engine.speak("Good morning.", trace))) == 3
    with pytest.raises(TurnEnded, match="it closed the connection, while waiting for speech") as ended:
        list(made.engine.speak("How are you?", trace))
    assert ended.value.outcome == "session_ended"
    trace = made.prepared()
    for _ in range(3):
        assert len(list(made.engine.speak("Good morning.", trace))) == 3


def test_samples_may_be_split_between_chunks(rig: Make) -> None:
    whole = np.arange(100, dtype=np.int16).tobytes()
    pieces = [AudioChunk(16_000, 2, 1, part) for part in (whole[:1], whole[1:51], whole[51:])]
    said, _, _ = turn(rig(speaking(AudioStart(16_000, 2, 1), *pieces, AudioStop())).loaded())
    assert np.concatenate([samples for samples, _, _ in said]).tolist() == (np.arange(100) / 32768).tolist()


def test_stereo_becomes_mono(rig: Make) -> None:
    both = np.array([[1000, 3000], [-2000, 0]], np.int16).tobytes()
    said, _, _ = turn(rig(speaking(AudioChunk(16_000, 2, 2, both), AudioStop())).loaded())
    assert said[0][0].tolist() == [2000 / 32768, -1000 / 32768]


def test_no_audio_is_a_silent_turn_with_a_reason(rig: Make) -> None:
    said, trace, _ = turn(rig(speaking(AudioStart(16_000, 2, 1), AudioStop())).loaded())
    assert not said and texts(trace) == ["the server sent no audio"]


def form(**changed: Any) -> dict[str, Any]:
    return {"rate": 16_000, "width": 2, "channels": 1, **changed}


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (
            [Event("audio-start", form(width=3))],
            r"its audio has 16000 Hz, 3 bytes per sample and 1 channels; this takes",
        ),
        ([Event("audio-start", form(rate=0))], "its audio has 0 Hz"),
        ([Event("audio-start", form(rate=-1))], "its audio has -1 Hz"),
        ([Event("audio-start", form(rate=10**400))], "its audio has 100000000000 Hz"),
        ([Event("audio-start", form(rate="16000"))], "does not say the rate of its audio"),
        ([Event("audio-start", form(rate=True))], "does not say the rate"),
        ([Event("audio-start", form(channels=0))], "and 0 channels"),
        ([Event("audio-start", form(channels=99))], "and 99 channels"),
        ([Event("audio-start", {})], "does not say the rate"),
        ([Event("audio-chunk", {}, b"\0\0")], "its event audio-chunk does not say the rate"),
        ([Event("audio-chunk", form(), b"\0" * 3), AudioStop()], "ends in the middle of a sample"),
        ([Event("audio-start", form()), Event("audio-chunk", form(rate=8000), b"\0\0")], "changes from 16000 Hz"),
    ],
)
def test_audio_that_cannot_be_played_fails_the_turn(rig: Make, events: list[Event], problem: str) -> None:
    made = rig(speaking(*events)).loaded()
    with pytest.raises(WyomingError, match=problem) as failed:
        turn(made)
    assert str(failed.value).startswith("The server tcp://127.0.0.1:10200: its ")


def test_a_reply_that_is_left_ends_the_connection(rig: Make) -> None:
    made = rig(voice()).loaded()
    trace = made.prepared()
    chunks = made.engine.speak("Good morning.", trace)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    said, _, _ = turn(made)
    assert len(said) == 3 and len(made.server.peers) == 3
