"""The voice openai against a server in this process: every form of audio, every failure, one outcome each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.remote.http.sound import SoundStream
from firstpacket.pipelines.remote.problems import ServerError

pytest.importorskip("httpx2")

from support.http_exchange import KEY
from support.llm_server import Answer, Scripted, serving
from support.remote_turn import Speaking, turn
from support.speech_server import (
    PCM,
    SAMPLES,
    Script,
    audio_events,
    base64_of,
    body,
    broken,
    endless,
    events,
    later,
    plain,
    then_silence,
    wav,
)

from firstpacket.pipelines.cascade.tts.openai import OpenAIVoice


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as made:
        made.script = body(PCM)
        yield made


def voice(server: Scripted, **changed: Any) -> OpenAIVoice:
    options = {option.name: option.default for option in OpenAIVoice.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    return OpenAIVoice(Settings(options={**options, "tts-url": server.url, "tts-timeout": 5.0, **given}))


def loaded(server: Scripted, **changed: Any) -> OpenAIVoice:
    made = voice(server, **changed)
    made.load()
    return made


def said(reply: list[tuple[np.ndarray, int]]) -> tuple[np.ndarray, int]:
    return np.concatenate([samples for samples, _ in reply]), reply[0][1]


FORMS: list[tuple[Script, int, str]] = [
    (body(PCM), 24_000, "pcm"),
    (body(PCM[:1], PCM[1:1001], PCM[1001:]), 24_000, "pcm"),
    (body(*[PCM[at : at + 7] for at in range(0, len(PCM), 7)]), 24_000, "pcm"),
    (body(PCM, kind="application/json"), 24_000, "pcm"),
    (body(wav()), 22_050, "wav"),
    (body(*[wav()[at : at + 5] for at in range(0, len(wav()), 5)]), 22_050, "wav"),
    (body(wav(size=0xFFFFFFFF), kind="audio/pcm"), 22_050, "wav"),
    (body(wav(size=0)), 22_050, "wav"),
    (body(wav(size=100)), 22_050, "wav"),  # too small, though more samples follow
    (body(wav(size=len(PCM) + 9999)), 22_050, "wav"),
    (body(wav() + b"LIST\x04\x00\x00\x00INFO"), 22_050, "wav"),
    (audio_events(PCM[:1001], PCM[1001:]), 24_000, "pcm in events"),
    (audio_events(wav()[:30], wav()[30:]), 22_050, "wav in events"),
    (events({"type": "ping"}, {"audio": base64_of(PCM)}, "[DONE]"), 24_000, "pcm in events"),
]


@pytest.mark.parametrize(("script", "rate", "format"), FORMS)
def test_every_form_of_audio_is_the_same_sound(server: Scripted, script: Script, rate: int, format: str) -> None:
    server.script = script
    model = loaded(server)
    result, reply = turn(Speaking(model))
    samples, heard_rate = said(reply)
    assert result.outcome == "answered"
    assert heard_rate == rate
    np.testing.assert_array_equal(np.round(samples * 2**15), SAMPLES)
    assert (model.facts()["tts_format"], model.facts()["tts_rate"]) == (format, rate)


def test_stereo_and_floats_are_understood(server: Scripted) -> None:
    both = np.stack([SAMPLES, SAMPLES], axis=1).astype("<i2").tobytes()
    server.script = body(wav(both, channels=2))
    samples, _ = said(turn(Speaking(loaded(server)))[1])
    np.testing.assert_array_equal(np.round(samples * 2**15), SAMPLES)
    header = bytearray(wav(b"", bits=32))
    header[20:22] = b"\x03\x00"
    samples = SoundStream(8000).feed(bytes(header) + np.float32([0.25, -0.5]).tobytes())
    np.testing.assert_array_equal(samples, np.float32([0.25, -0.5]))


def test_audio_is_given_as_soon_as_it_is_sent_and_the_head_is_no_audio(server: Scripted) -> None:
    """The server sends its head, a WAV header, and then audio, each only once the one before could have been taken."""
    model = loaded(server)

    def script(answer: Answer) -> None:
        answer.begin("audio/wav")
        answer.send(wav(b"", size=0xFFFFFFFF))
        assert not answer.server.over.wait(0.05)
        answer.send(PCM[:2000])
        assert answer.server.over.wait(5), "the first audio was taken before the rest was sent"
        answer.send(PCM[2000:])
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    result, reply = turn(Speaking(model), then=server.over.set)
    assert len(reply) == 2 and len(reply[0][0]) == 1000
    marks = {mark.name: mark.at_ns for mark in result.trace.marks}
    assert marks["tts.first_audio"] - marks["tts.first_byte"] >= 50_000_000
    parts = [message for message in result.trace.messages if message.audio_bytes]
    assert marks["tts.first_audio"] == parts[1].at_ns, "the header came before"
    assert result.trace.packets[0].at_ns >= parts[1].at_ns


def test_first_audio_has_the_time_at_which_it_came_not_that_of_the_head(server: Scripted) -> None:
    model = loaded(server)

    def script(answer: Answer) -> None:
        answer.begin("audio/pcm")
        assert not answer.server.over.wait(0.05)
        answer.send(PCM)
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    result, _ = turn(Speaking(model))
    marks = {mark.name: mark.at_ns for mark in result.trace.marks}
    assert marks["tts.first_audio"] - marks["tts.first_byte"] >= 50_000_000


def test_the_request_is_one_that_the_official_client_could_send(server: Scripted) -> None:
    types = pytest.importorskip("openai.types.audio.speech_create_params")
    pydantic = pytest.importorskip("pydantic")
    model = loaded(server, tts_voice="nova")
    turn(Speaking(model, "Good  morning."))
    path, headers, sent = server.asked[-1]
    assert (path, headers["Authorization"]) == ("/v1/audio/speech", f"Bearer {KEY}")
    assert sent == {
        "model": "tiny",
        "input": "Good  morning.",
        "voice": "nova",
        "response_format": "pcm",
        "stream": True,
        "stream_format": "audio",
    }
    known = {name: value for name, value in sent.items() if name != "stream"}
    checked = pydantic.TypeAdapter(types.SpeechCreateParams).validate_python(known)
    assert dict(checked) == known


def test_a_form_that_the_server_refuses_is_not_sent_in_turns(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        asked = answer.server.asked[-1][2]
        if "stream" in asked:
            return answer.plain(400, {"error": {"message": "Unknown parameter: 'stream'."}})
        if asked["response_format"] == "pcm":
            return answer.plain(422, {"detail": "pcm is not supported"})
        return body(wav())(answer)

    server.script = script
    model = loaded(server)
    before = len(server.asked)
    assert turn(Speaking(model))[0].outcome == "answered"
    assert len(server.asked) == before + 1
    assert model.facts()["tts_request"] == "response_format=wav, stream_format=audio"


def test_a_server_that_does_not_stream_is_noticed(server: Scripted) -> None:
    def at_once(answer: Answer) -> None:
        assert not answer.server.over.wait(0.1)
        body(PCM * 10, PCM * 10)(answer)

    def with_its_length(answer: Answer) -> None:
        answer.send_response(200)
        answer.send_header("Content-Length", str(2 * len(PCM)))
        answer.end_headers()
        for _ in range(2):
            answer.wfile.write(PCM)
            assert not answer.server.over.wait(0.05), "a slow line"

    for script in (at_once, with_its_length):
        server.script = script
        model = loaded(server)
        assert model.facts()["tts_streamed"] is False
        assert "did not stream" in model.notices()[0]

    def as_it_comes(answer: Answer) -> None:
        answer.begin("audio/pcm")
        for _ in range(2):
            answer.send(PCM)
            assert not answer.server.over.wait(0.05)
        answer.wfile.write(b"0\r\n\r\n")

    server.script = as_it_comes
    model = loaded(server)
    assert model.facts()["tts_streamed"] is True
    assert model.notices() == ()


def test_a_connection_that_is_closed_every_time_is_made_before_the_turn(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        body(PCM)(answer)
        answer.close_connection = True

    server.script = script
    model = loaded(server)
    for _ in range(2):
        assert server.closed.acquire(timeout=5)
        result, _ = turn(Speaking(model))
        assert result.trace.session is not None
        assert "tts.connected" not in [mark.name for mark in result.trace.marks]


BAD: list[tuple[Script, str, str]] = [
    (plain(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}), "refused", r"401: .*\[key\]"),
    (plain(403, "no"), "refused", "403: no"),
    (plain(404, {"error": {"message": "The model `tiny` does not exist"}}), "refused", "does not exist"),
    (plain(415, ""), "refused", "415"),
    (plain(422, {"detail": "voice"}), "refused", "422: voice"),
    (plain(429, {"error": {"message": "slow down"}}), "limited", "429: slow down"),
    (plain(503, "starting"), "busy", "503: starting"),
    (plain(500, "Traceback"), "failed", "500: Traceback"),
    (plain(302, "", Location="http://elsewhere.example"), "failed", "which is not followed"),
    (plain(200, ""), "failed", "no audio"),
    (body(wav(b""), kind="audio/wav"), "failed", "only the header of a wav file"),
    (plain(200, {"error": f"no {KEY}"}), "failed", r"text instead of audio: no \[key\]"),
    (plain(200, "<title>Log in</title>", Content_Type="text/html"), "failed", "instead of audio: Log in"),
    (plain(200, "Internal error, sorry", Content_Type="text/plain"), "failed", "instead of audio: Internal error"),
    (body(b"ID3\x04" + bytes(100), kind="audio/mpeg"), "failed", "it sends MP3"),
    (body(b"\xff\xf3\x40\xc0" + bytes(100), kind="audio/mpeg"), "failed", "it sends audio/mpeg"),
    (body(b"OggS" + bytes(100)), "failed", "it sends Ogg"),
    (body(wav(rate=0)), "failed", "0 Hz"),
    (body(wav(rate=4_000_000_000)), "failed", "4000000000 Hz"),
    (body(wav(channels=0)), "failed", "0 channels"),
    (body(wav(bits=7)), "failed", "7 bits"),
    (body(b"RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\x7f" + bytes(100)), "failed", "header has no end"),
    (body(b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00" + PCM), "failed", "does not say what it holds"),
    (broken(body(end=False)), "failed", "(?i)reset|disconnect|incomplete|closed"),
    (later, "failed", r"it sent nothing for 0\.3 s \(tts-timeout\)"),
    (then_silence(body(end=False)), "failed", r"it sent nothing for 0\.3 s \(tts-timeout\)"),
    (endless(b"\n", "text/event-stream", 0.01), "timeout", "waiting for more of its answer"),
    (events({"type": "speech.audio.delta", "audio": "!!"}), "failed", "not base64"),
    (events("[" * 100_000), "failed", "not a JSON object"),
    (events({"type": "speech.audio.error", "error": {"message": "out of memory"}}), "failed", "out of memory"),
    (events({"type": "speech.audio.done"}), "failed", "no audio"),
]


@pytest.mark.parametrize(("script", "outcome", "reason"), BAD)
def test_each_failure_is_one_outcome_and_the_next_turn_is_answered(
    server: Scripted, script: Script, outcome: str, reason: str
) -> None:
    model = loaded(server, tts_timeout=0.3 if "timeout" in reason else 5.0)
    server.script, before = script, len(server.asked)
    result, _ = turn(Speaking(model), deadline_s=0.3 if outcome == "timeout" else 10.0)
    assert result.outcome == outcome, result.reason
    assert len(server.asked) == before + 1, "nothing is tried twice"
    assert re.search(reason, result.reason), result.reason
    assert "\n" not in result.reason and KEY not in repr(result)
    server.script = body(PCM)
    assert turn(Speaking(model))[0].outcome == "answered"


CUT_OFF: list[tuple[Script, str]] = [
    (broken(body(PCM, end=False)), "(?i)reset|incomplete|closed"),
    (audio_events(PCM, done=False), "broke off before the audio was complete"),
    (then_silence(body(PCM, end=False)), r"it sent nothing for 0\.3 s"),
]


@pytest.mark.parametrize(("script", "reason"), CUT_OFF)
def test_audio_that_breaks_off_is_a_reply_that_was_cut(server: Scripted, script: Script, reason: str) -> None:
    model = loaded(server, tts_timeout=0.3)
    server.script = script
    result, reply = turn(Speaking(model))
    assert len(said(reply)[0]) == len(SAMPLES)
    assert result.outcome == "failed" and re.search(reason, result.reason)


def test_three_megabytes_come_whole_in_one_event_or_many_parts(server: Scripted) -> None:
    much = PCM * 656
    assert len(much) > 3 << 20
    model = loaded(server)
    for script in (body(much), audio_events(much)):
        server.script = script
        result, reply = turn(Speaking(model))
        assert (result.outcome, len(said(reply)[0])) == ("answered", len(much) // 2)
        assert len(repr(result.trace.messages)) < 100_000


def test_a_sound_without_end_is_given_up(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstpacket.pipelines.remote.http.answer.MOST", 1 << 18)
    model = loaded(server)
    server.script = endless(PCM, "audio/pcm")
    result, _ = turn(Speaking(model))
    assert "longer than 262,144 bytes" in result.reason


def test_a_server_that_refuses_at_loading_is_explained(server: Scripted) -> None:
    server.script = plain(404, {"error": {"message": "no voice alloy"}})
    with pytest.raises(ServerError, match=r"404: no voice alloy\. Check .*tts-url, tts-model, tts-voice and the key"):
        loaded(server)
    server.models = ("a", "b")
    with pytest.raises(UsageError, match="tts-model is empty, and the server lists a, b"):
        loaded(server)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"tts_rate": 7}, "tts-rate is 7 Hz"),
        ({"tts_timeout": 0.0}, "tts-timeout is 0.0 s"),
        ({"tts_key_env": KEY}, "tts-key-env is not the name of an environment variable"),
        ({"tts_headers_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, which is not set"),
        ({"tts_url": f"http://x/v1?key={KEY}"}, "tts-url contains a user name, a password or a query"),
    ],
)
def test_impossible_options_are_refused(server: Scripted, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(BenchError, match=reason) as raised:
        loaded(server, **changed)
    assert KEY not in str(raised.value)


def test_a_server_without_a_listing_of_models_must_be_given_one(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answer, "do_GET", lambda answer: answer.plain(404, {"detail": "Not Found"}))
    with pytest.raises(ServerError, match=r"404: Not Found\. If it does not list its models, name one with tts-model"):
        loaded(server)
    assert turn(Speaking(loaded(server, tts_model="any")))[0].outcome == "answered"
