"""The recogniser openai against a server in this process: every dialect, every failure, one outcome each."""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Iterator
from typing import Any, get_type_hints

import numpy as np
import pytest

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.pipelines.remote.problems import ServerError

pytest.importorskip("httpx2")

from support.http_exchange import KEY
from support.llm_server import Answer, Scripted, delta, serving
from support.remote_turn import CLIP, Listening, turn
from support.speech_server import Script, broken, endless, events, later, plain, then_silence

from firstpacket.pipelines.cascade.asr.openai import OpenAIRecogniser

TEXT = "Why is the sky blue?"


def openai_events(done: bool = True) -> Script:
    said = [{"type": "transcript.text.delta", "delta": piece} for piece in ("Why is", " the sky", " blew?")]
    return events(*said, *([{"type": "transcript.text.done", "text": TEXT, "usage": {}}] if done else []))


def chat_events(*ends: str) -> Script:
    chunks = [json.loads(delta(piece)) for piece in ("Why is", " the sky", " blue?")]
    return events(*[{"object": "transcription.chunk", **chunk} for chunk in chunks], *ends)


def bare_words(answer: Answer) -> None:
    """As `transformers serve` does: no JSON, and no end mark."""
    answer.begin()
    for word in ("Why", " is", " the", " sky", " blue?"):
        answer.send(f"data: {word}\n\n".encode())
    answer.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as made:
        made.script = plain(200, {"text": TEXT, "usage": {"type": "duration", "seconds": 1}})
        yield made


def loaded(server: Scripted, **changed: Any) -> OpenAIRecogniser:
    options = {option.name: option.default for option in OpenAIRecogniser.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    made = OpenAIRecogniser(Settings(options={**options, "asr-url": server.url, "asr-timeout": 5.0, **given}))
    made.load()
    return made


def texts(trace: TurnTrace, kind: str) -> list[str]:
    return [text.text for text in trace.texts if text.kind == kind]


DIALECTS: list[tuple[Script, str, str, list[str]]] = [
    (plain(200, {"text": TEXT}), "off", "json", []),
    (plain(200, {"text": TEXT}), "auto", "json", []),
    (plain(200, TEXT, Content_Type="text/plain"), "off", "json", []),
    (openai_events(), "auto", "openai", ["Why is", "Why is the sky", "Why is the sky blew?", TEXT]),
    (openai_events(), "openai", "openai", ["Why is", "Why is the sky", "Why is the sky blew?", TEXT]),
    (chat_events("[DONE]"), "auto", "chat", ["Why is", "Why is the sky", TEXT]),
    (chat_events(delta(finish="stop")), "chat", "chat", ["Why is", "Why is the sky", TEXT]),
    (bare_words, "auto", "words", ["Why", "Why is", "Why is the", "Why is the sky", TEXT]),
    (bare_words, "words", "words", ["Why", "Why is", "Why is the", "Why is the sky", TEXT]),
]


@pytest.mark.parametrize(("script", "stream", "dialect", "partials"), DIALECTS)
def test_every_dialect_gives_the_transcript_and_its_partial_ones(
    server: Scripted, script: Script, stream: str, dialect: str, partials: list[str]
) -> None:
    server.script = script
    model = loaded(server, asr_stream=stream)
    result, _ = turn(Listening(model))
    assert result.outcome == "answered"
    assert texts(result.trace, "transcript") == [TEXT]
    assert texts(result.trace, "partial") == partials
    assert model.facts()["asr_answers"] == dialect
    assert bool(model.notices()) == (stream == "auto" and dialect == "json")
    read = {message.at_ns for message in result.trace.messages}
    assert all(text.at_ns in read for text in result.trace.texts if text.kind == "partial"), "stamped when it was read"


def test_a_word_that_is_json_is_a_word(server: Scripted) -> None:
    server.script = events("12", " null", " true")
    assert texts(turn(Listening(loaded(server, asr_stream="auto")))[0].trace, "transcript") == ["12 null true"]


def test_the_whole_utterance_is_uploaded_as_the_official_client_could(server: Scripted) -> None:
    types = pytest.importorskip("openai.types.audio.transcription_create_params")
    pydantic = pytest.importorskip("pydantic")
    result, _ = turn(Listening(loaded(server, asr_language="de-AT", asr_stream="auto")))
    path, headers, sent = server.asked[-1]
    assert (path, headers["Authorization"]) == ("/v1/audio/transcriptions", f"Bearer {KEY}")
    with wave.open(io.BytesIO(sent.pop("file"))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        heard = np.frombuffer(sound.readframes(len(CLIP) + 1), "<i2") / 32767
    np.testing.assert_allclose(heard, CLIP, atol=1e-4)
    assert sent == {"model": "tiny", "response_format": "json", "language": "de", "stream": "true"}
    known = get_type_hints(types.TranscriptionCreateParamsStreaming)
    for name, value in {**sent, "stream": True}.items():
        pydantic.TypeAdapter(known[name]).validate_python(value)
    request = result.trace.messages[0]
    assert request.due_ns < request.at_ns <= request.done_ns, "making the form is the client's work"
    assert (request.audio_bytes, json.loads(request.body)["model"]) == (44 + 2 * len(CLIP), "tiny")
    (span,) = result.trace.spans
    assert span.stage == "asr" and span.start_ns <= request.due_ns


def test_without_an_option_the_language_is_the_recording_s(server: Scripted) -> None:
    turn(Listening(loaded(server)))
    assert server.asked[-1][2]["language"] == "en"
    assert "stream" not in server.asked[-1][2]


def test_nothing_recognised_is_said(server: Scripted) -> None:
    model = loaded(server)
    server.script = plain(200, {"text": " "})
    assert texts(turn(Listening(model))[0].trace, "shortcoming") == ["the recogniser's server returned no text"]


def test_a_repeated_key_is_in_no_text(server: Scripted) -> None:
    server.script = events(
        {"type": "transcript.text.delta", "delta": KEY[:9]},
        {"type": "transcript.text.delta", "delta": KEY[9:]},
        {"type": "transcript.text.done", "text": f"It is {KEY}."},
    )
    result, _ = turn(Listening(loaded(server, asr_stream="auto")))
    assert KEY not in repr(result)
    assert texts(result.trace, "transcript") == ["It is [key]."]


WHY = {"type": "transcript.text.delta", "delta": "Why"}
BAD: list[tuple[Script, str, str]] = [
    (plain(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}), "refused", r"401: .*\[key\]"),
    (plain(403, "no"), "refused", "403: no"),
    (plain(404, {"error": {"message": "The model `tiny` does not exist"}}), "refused", "does not exist"),
    (plain(413, "too large"), "refused", "413"),
    (plain(415, ""), "refused", "415"),
    (plain(422, {"detail": [{"loc": ["body", "file"], "msg": "not audio"}]}), "refused", "file: not audio"),
    (plain(429, {"error": {"message": "slow down"}}), "limited", "429: slow down"),
    (plain(503, "starting"), "busy", "503: starting"),
    (plain(500, "Traceback"), "failed", "500: Traceback"),
    (plain(200, ""), "failed", "its answer is empty"),
    (plain(200, {"error": f"no {KEY}"}), "failed", r"no transcript: no \[key\]"),
    (plain(200, {"text": 3}), "failed", "no transcript"),
    (plain(200, "[" * 60_000), "failed", "no transcript"),
    (plain(200, "<title>Log in</title>", Content_Type="text/plain"), "failed", "no transcript: Log in"),
    (plain(200, "x\x00y", Content_Type="audio/mpeg"), "failed", "no server-sent events"),
    (plain(200, {"text": "la" * 60_000}), "failed", "no transcript|longer than"),
    (broken(lambda answer: answer.begin()), "failed", "(?i)reset|disconnect|incomplete|closed"),
    (openai_events(done=False), "failed", "broke off before the transcript"),
    (broken(chat_events()), "failed", "(?i)reset|incomplete|closed|broke"),
    (
        events({"type": "transcript.text.delta", "delta": "Why"}, '{"error": "out of memory"}'),
        "failed",
        "out of memory",
    ),
    (events({"type": "transcript.text.delta", "delta": "Why"}, "no JSON"), "failed", "not a JSON object"),
    (events("Why", '{"error": "out of memory"}'), "failed", "mid-stream: out of memory"),
    (later, "failed", r"it sent nothing for 0\.3 s \(asr-timeout\)"),
    (then_silence(lambda answer: answer.stream(["Why"], end=False)), "failed", r"it sent nothing for 0\.3 s"),
    (endless(b": still there\n\n", "text/event-stream", 0.01), "timeout", "waiting for more of its answer"),
    (endless(b"data: " + b"la" * 5000 + b"\n\n", "text/event-stream"), "failed", "transcript is longer than"),
    (endless(b"x" * (1 << 20), "text/event-stream"), "failed", "longer than 1048576 bytes"),
]


@pytest.mark.parametrize(("script", "outcome", "reason"), BAD)
def test_each_failure_is_one_outcome_and_the_next_turn_is_answered(
    server: Scripted, script: Script, outcome: str, reason: str
) -> None:
    model = loaded(server, asr_stream="auto", asr_timeout=0.3 if "sent nothing" in reason else 5.0)
    good, before = server.script, len(server.asked)
    server.script = script
    result, _ = turn(Listening(model), deadline_s=0.3 if outcome == "timeout" else 10.0)
    assert result.outcome == outcome, result.reason
    assert len(server.asked) == before + 1, "nothing is tried twice"
    assert re.search(reason, result.reason), result.reason
    assert "\n" not in result.reason and KEY not in repr(result)
    server.script = good
    assert turn(Listening(model))[0].outcome == "answered"


def test_a_stream_that_stays_open_after_its_end_holds_nothing_up(server: Scripted) -> None:
    model = loaded(server, asr_stream="auto")
    server.script = then_silence(lambda answer: answer.stream([delta("Why"), "[DONE]"], end=False))
    for _ in range(2):
        assert texts(turn(Listening(model))[0].trace, "transcript") == ["Why"]
    assert not server.over.is_set(), "it was still open"


def test_a_server_that_refuses_at_loading_is_explained(server: Scripted) -> None:
    server.script = plain(401, "no key")
    with pytest.raises(ServerError, match=r"401: no key\. Check .*asr-url, asr-model, asr-stream and the key"):
        loaded(server)
    server.models = ("a", "b")
    with pytest.raises(UsageError, match="asr-model is empty, and the server lists a, b"):
        loaded(server)
