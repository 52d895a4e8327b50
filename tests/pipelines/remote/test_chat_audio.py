"""The pipeline chat-audio against a server in this process: its stages, its forms, every failure, one outcome each."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import BenchError
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.record.schema import Evidence, TurnResult
from firstpacket.pipelines.remote.problems import ServerError

pytest.importorskip("httpx2")

from support.http_exchange import KEY
from support.llm_server import Answer, Scripted, delta, serving
from support.remote_turn import CLIP, turn
from support.speech_server import PCM, SAMPLES, Script, base64_of, broken, events, later, plain, then_silence, wav

from firstpacket.pipelines.remote.chat_audio import ChatAudio


def audio(data: bytes = b"", transcript: str = "", **more: Any) -> dict[str, Any]:
    """A chunk of OpenAI's with a part of the audio, or of its words."""
    said = {"id": "audio_1", **({"data": base64_of(data)} if data else {}), **more}
    return json.loads(delta(audio={**said, **({"transcript": transcript} if transcript else {})}))  # type: ignore[no-any-return]


FINISH = json.loads(delta(finish="stop"))
USAGE = {"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 5, "total_tokens": 36}}
REPLY = (
    json.loads(delta(role="assistant", content="")),
    audio(transcript="The sky"),
    audio(PCM[:1001]),
    audio(transcript=" is blue."),
    audio(PCM[1001:]),
    audio(expires_at=1),
    FINISH,
    USAGE,
    "[DONE]",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as made:
        made.script = events(*REPLY)
        yield made


def loaded(server: Scripted, **changed: Any) -> ChatAudio:
    options = {option.name: option.default for option in ChatAudio.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    made = ChatAudio(Settings(options={**options, "url": server.url, "timeout": 5.0, **given}))
    made.load()
    return made


def shortcomings(result: TurnResult) -> list[str]:
    return [text.text for text in result.trace.texts if text.kind == "shortcoming"]


def test_a_turn_is_uplink_wait_and_reply_without_gaps(server: Scripted) -> None:
    model = loaded(server)

    def script(answer: Answer) -> None:
        assert not answer.server.over.wait(0.05)
        events(*REPLY)(answer)

    server.script = script
    result, reply = turn(model)
    assert result.outcome == "answered"
    samples = np.concatenate([samples for samples, _ in reply])
    np.testing.assert_array_equal(np.round(samples * 2**15), SAMPLES)
    assert {rate for _, rate in reply} == {24_000}
    stages = {span.stage: span for span in reversed(result.trace.spans)}
    request = result.trace.messages[0]
    assert (stages["uplink"].start_ns, stages["uplink"].end_ns) == (request.due_ns, request.done_ns)
    assert stages["wait"].start_ns == request.done_ns
    first = next(message for message in result.trace.messages if message.audio_bytes and not message.sent)
    assert stages["wait"].end_ns == first.at_ns == stages["reply"].start_ns
    assert {mark.name: mark.at_ns for mark in result.trace.marks}["chat.first_audio"] == first.at_ns
    found = turn_figures(
        Evidence(**{name: getattr(result, name) for name in TurnResult.__slots__}, label="a", utterance="clip")
    )
    path = {part.stage: part.ns for part in found.path}
    assert path["wait"] == first.at_ns - request.done_ns >= 50_000_000
    assert not {"uplink", "wait", "reply"} - path.keys()
    assert [text.text for text in result.trace.texts] == ["The sky is blue."]
    assert result.trace.usage is not None and result.trace.usage.reply_tokens == 5


@pytest.mark.parametrize("input", ["input_audio", "audio_url"])
def test_the_request_is_one_that_the_official_client_could_send(server: Scripted, input: str) -> None:
    types = pytest.importorskip("openai.types.chat.completion_create_params")
    pydantic = pytest.importorskip("pydantic")
    turn(loaded(server, input=input, voice="verse", instructions="Be brief.", max_tokens=50))
    path, headers, sent = server.asked[-1]
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    system, user = sent["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    (part,) = user["content"]
    data = part[input]["data"] if input == "input_audio" else part[input]["url"].removeprefix("data:audio/wav;base64,")
    with wave.open(io.BytesIO(base64.b64decode(data))) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (16_000, len(CLIP))
    assert {name: value for name, value in sent.items() if name != "messages"} == {
        "model": "tiny",
        "modalities": ["text", "audio"],
        "audio": {"voice": "verse", "format": "pcm16"},
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 50,
    }
    if input == "input_audio":  # the other one is of other servers
        adapter = pydantic.TypeAdapter(types.CompletionCreateParamsStreaming)
        checked = json.loads(adapter.dump_json(adapter.validate_python(sent)))
        assert checked.keys() == sent.keys() and checked["audio"] == sent["audio"]


def test_what_comes_back_is_what_the_official_client_reads() -> None:
    chunk = pytest.importorskip("openai.types.chat.chat_completion_chunk")
    whole = {"id": "x", "created": 1, "model": "tiny", "object": "chat.completion.chunk"}
    for said in REPLY[:-1]:
        assert isinstance(said, dict)
        chunk.ChatCompletionChunk.model_validate({**said, **whole})


FORMS: list[tuple[Script, int]] = [
    (events(audio(wav()[:50]), audio(wav()[50:]), FINISH), 22_050),
    (events(audio(wav(PCM[:2400])), audio(wav(PCM[2400:])), FINISH), 22_050),  # each piece a file of its own
    (events(json.loads(delta("Hm.")), {**json.loads(delta(base64_of(wav()))), "modality": "audio"}, FINISH), 22_050),
]


@pytest.mark.parametrize(("script", "rate"), FORMS)
def test_other_servers_send_audio_otherwise(server: Scripted, script: Script, rate: int) -> None:
    server.script = script
    result, reply = turn(loaded(server))
    assert result.outcome == "answered"
    np.testing.assert_array_equal(np.round(np.concatenate([samples for samples, _ in reply]) * 2**15), SAMPLES)
    assert {each for _, each in reply} == {rate}


def test_a_form_that_the_server_refuses_is_not_sent_in_turns(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        asked = answer.server.asked[-1][2]
        if "stream_options" in asked or asked["audio"]["format"] == "pcm16":
            return answer.plain(400, {"error": {"message": "unsupported"}})
        return events(audio(wav()), FINISH)(answer)

    server.script = script
    model = loaded(server)
    before = len(server.asked)
    assert turn(model)[0].outcome == "answered"
    assert len(server.asked) == before + 1
    assert model.facts()["reply_asked"] == model.facts()["reply_format"] == "wav"


def test_a_server_that_ignores_modalities_is_silent_and_says_so(server: Scripted) -> None:
    server.script = events(json.loads(delta("The sky is blue.")), FINISH)
    model = loaded(server)
    assert "ignored `modalities`" in " ".join(model.notices())
    result, reply = turn(model)
    assert (result.outcome, reply) == ("silent", [])
    assert shortcomings(result) == ["the server ignored `modalities`: it replied with text alone"]
    assert [span.stage for span in result.trace.spans] == ["endpoint", "uplink", "wait"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([json.loads(delta(refusal="No.")), FINISH], "the model refused to answer: No."),
        ([json.loads(delta(tool_calls=[{"function": {"name": "f"}}])), FINISH], "called the tool f instead"),
        ([json.loads(delta(finish="content_filter"))], "content filter withheld"),
        ([json.loads(delta(finish="length"))], "cut off before it had audio"),
        ([FINISH], "neither audio nor text"),
    ],
)
def test_a_reply_without_audio_says_why(server: Scripted, said: list[dict[str, Any]], reason: str) -> None:
    model = loaded(server)
    server.script = events(*said)
    result, _ = turn(model)
    assert result.outcome == "silent"
    assert reason in shortcomings(result)[0]


def test_what_cannot_be_known_is_said(server: Scripted) -> None:
    model = loaded(server)
    assert model.facts()["heard"] == "not known"
    assert "do not include what the server heard" in model.notices()[0]


BAD: list[tuple[Script, str, str]] = [
    (plain(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}), "refused", r"401: .*\[key\]"),
    (plain(404, {"error": {"message": "The model `tiny` does not exist"}}), "refused", "does not exist"),
    (plain(400, {"error": {"message": "audio is not supported"}}), "refused", "audio is not supported"),
    (plain(429, "slow down"), "limited", "429: slow down"),
    (plain(503, "starting"), "busy", "503: starting"),
    (plain(500, "Traceback"), "failed", "500: Traceback"),
    (plain(200, {"error": "no"}), "failed", "an error instead of a stream: no"),
    (plain(200, "<title>Log in</title>"), "failed", "a document instead of a stream: Log in"),
    (events(audio(PCM), end=True), "failed", "broke off before the reply was complete"),
    (
        broken(lambda answer: answer.stream([json.dumps(audio(PCM))], end=False)),
        "failed",
        "(?i)reset|incomplete|closed",
    ),
    (events(json.loads(delta(audio={"data": "!!"})), FINISH), "failed", "not base64"),
    (events(audio(b"OggS" + bytes(50)), FINISH), "failed", "it sends Ogg"),
    (events(audio(wav(b"")), FINISH), "failed", "only the header of a wav file"),
    (events("[" * 100_000), "failed", "not JSON"),
    (events(audio(PCM), {"error": {"message": f"out of memory {KEY}"}}), "failed", r"out of memory \[key\]"),
    (events(*[audio(transcript="la" * 10_000)] * 6), "failed", "more than 100,000 characters"),
    (later, "failed", r"it sent nothing for 0\.3 s \(timeout\)"),
    (then_silence(events(audio(PCM), end=False)), "failed", r"nothing for 0\.3 s"),
]


@pytest.mark.parametrize(("script", "outcome", "reason"), BAD)
def test_each_failure_is_one_outcome_and_the_next_turn_is_answered(
    server: Scripted, script: Script, outcome: str, reason: str
) -> None:
    model = loaded(server, timeout=0.3 if "nothing for" in reason else 5.0)
    good, before = server.script, len(server.asked)
    server.script = script
    result, _ = turn(model)
    assert result.outcome == outcome, result.reason
    assert len(server.asked) == before + 1, "nothing is tried twice"
    assert re.search(reason, result.reason), result.reason
    assert "\n" not in result.reason and KEY not in repr(result)
    server.script = good
    assert turn(model)[0].outcome == "answered"


def test_a_turn_at_its_deadline_is_given_up(server: Scripted) -> None:
    model = loaded(server)
    server.script = later
    result, _ = turn(model, deadline_s=0.2)
    assert (result.outcome, result.reason) == ("timeout", f"waiting for it to answer ({server.url})")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rate": 7}, "rate is 7 Hz"),
        ({"max_tokens": -1}, "max-tokens must not be negative"),
        ({"timeout": 0.0}, r"timeout is 0\.0 s"),
        ({"key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, which is not set"),
        ({"url": f"http://x/v1?key={KEY}"}, "url contains a user name, a password or a query"),
    ],
)
def test_impossible_options_are_refused(server: Scripted, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(BenchError, match=reason) as raised:
        loaded(server, **changed)
    assert KEY not in str(raised.value)


def test_a_server_that_refuses_at_loading_is_explained(server: Scripted) -> None:
    server.script = plain(422, {"detail": "no audio here"})
    with pytest.raises(ServerError, match=r"422: no audio here\. Check .*url, model, voice, input and the key"):
        loaded(server)
