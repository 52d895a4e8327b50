"""The engine openai against a server in this process: its requests, its marks, and its errors."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.openai import OpenAIServer
from firstpacket.pipelines.cascade.llm.openai.problems import ServerError

pytest.importorskip("httpx2")

from support.llm_server import Answer, Scripted, delta, serving

from firstpacket.pipelines.cascade.llm.openai import loading

KEY = "sk-very-secret-0123456789"
SAID = ["The", " sky", " is", " blue", "."]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as made:
        made.script = lambda answer: answer.stream([*map(delta, SAID), delta(finish="stop"), "[DONE]"])
        yield made


def engine(url: str, **changed: Any) -> OpenAIServer:
    options = {option.name: option.default for option in OpenAIServer.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    return OpenAIServer(Settings(seed=7, options={**options, "llm-url": url, "llm-timeout": 5.0, **given}))


def loaded(server: Scripted, **changed: Any) -> OpenAIServer:
    made = engine(server.url, **changed)
    made.load()
    return made


def turn(model: OpenAIServer, text: str = "Why?") -> tuple[list[str], TurnTrace]:
    trace = Trace(MonotonicClock())
    pieces = list(model.reply(text, trace))
    return pieces, trace.finish()


def marks(trace: TurnTrace) -> list[str]:
    return [mark.name for mark in trace.marks]


def test_every_event_is_a_piece(server: Scripted) -> None:
    pieces, trace = turn(loaded(server))
    assert pieces == SAID
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    assert [mark.at_ns for mark in trace.marks] == sorted(mark.at_ns for mark in trace.marks)


def test_pieces_come_as_soon_as_they_are_sent(server: Scripted) -> None:
    """The server sends the second one only when the first was received."""

    def script(answer: Answer) -> None:
        answer.stream([delta("one")], end=False)
        assert answer.server.over.wait(5)
        for data in (delta(" two"), delta(finish="stop"), "[DONE]"):
            answer.send(f"data: {data}\n\n".encode())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    pieces = loaded(server).reply("Why?", Trace(MonotonicClock()))
    assert next(pieces) == "one"
    server.over.set()
    assert list(pieces) == [" two"]


def test_the_request_has_the_documented_fields(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = loaded(server, llm_max_tokens=40, llm_min_tokens=3, llm_temperature=0.5, llm_top_p=0.9)
    turn(model, " Why? ")
    path, headers, body = server.asked[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    system, user = body.pop("messages")
    assert system["role"] == "system"
    assert "spoken" in system["content"]
    assert user == {"role": "user", "content": "Why?"}
    assert body == {
        "model": "tiny",
        "stream": True,
        "max_tokens": 40,
        "min_tokens": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stream_options": {"include_usage": True},
    }


def test_without_a_key_none_is_sent(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    turn(loaded(server))
    assert not any("Authorization" in headers for _, headers, _ in server.asked)


def test_one_connection_serves_all_turns(server: Scripted) -> None:
    model = loaded(server)
    for _ in range(3):
        assert "llm.connected" not in marks(turn(model)[1])
    assert server.connections == 1


def test_a_connection_closed_between_turns_is_reopened_and_marked(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        answer.stream([delta("Yes."), delta(finish="stop"), "[DONE]"])
        answer.close_connection = True

    server.script = script
    model = loaded(server)
    connected = []
    for _ in range(3):
        said, trace = turn(model)
        assert said == ["Yes."]
        connected.append("llm.connected" in marks(trace))
        assert server.closed.acquire(timeout=5)
    assert connected == [False, True, True]


def test_reasoning_is_not_part_of_the_answer(server: Scripted) -> None:
    role = delta(role="assistant", content="")
    events = [role, delta(reasoning_content="Hm"), delta(reasoning="m."), *map(delta, SAID), delta(finish="stop")]
    server.script = lambda answer: answer.stream([*events, "[DONE]"])
    pieces, trace = turn(loaded(server))
    assert pieces == ["", "", *SAID]
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    token, answer = (mark.at_ns for mark in trace.marks[1:])
    assert token < answer


def test_token_counts_are_recorded_if_sent(server: Scripted) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 5}})
    server.script = lambda answer: answer.stream([*map(delta, SAID), delta(finish="stop"), usage, "[DONE]"])
    model = loaded(server)
    pieces, trace = turn(model)
    assert pieces == SAID
    assert trace.usage is not None and (trace.usage.prompt_tokens, trace.usage.reply_tokens) == (31, 5)
    assert not trace.texts
    assert model.facts() == {
        "llm_model": "tiny",
        "llm_request": "as documented",
        "llm_thoughts": "in tags or fields, if any",
    }


def test_what_the_server_says_of_itself_is_recorded(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.listed, server.pages = {"max_model_len": 512}, {"/version": {"version": f"0.33 {KEY}"}}
    usage = {"prompt_tokens": 31, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}
    end = json.dumps({"choices": [], "usage": usage, "system_fingerprint": f"fp_{KEY}"})
    server.script = server.script_of_trial = streamed(*map(delta, SAID), delta(finish="stop"), end, "[DONE]")
    model = loaded(server)
    assert model.facts() == {
        "llm_model": "tiny",
        "llm_request": "as documented",
        "llm_thoughts": "in tags or fields, if any",
        "llm_context": 512,
        "llm_server": "vLLM",
        "llm_server_version": "0.33 [key]",
        "llm_fingerprint": "fp_[key]",
        "llm_cached_tokens": "reported",
    }
    usage_seen = turn(model)[1].usage
    assert usage_seen is not None and usage_seen.cached_tokens == 16


def test_a_server_that_says_nothing_of_itself_holds_loading_up_only_so_long(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listing(answer: Answer) -> None:
        if answer.path != "/v1/models":
            answer.server.over.wait(10)
        answer.plain(200, {"data": [{"id": "tiny"}]})

    monkeypatch.setattr(Answer, "do_GET", listing)
    monkeypatch.setattr(loading, "ABOUT_S", 0.05)
    assert turn(loaded(server))[0] == SAID
    assert not server.over.is_set()


def test_a_server_that_refuses_usage_counts_gets_a_retry_without_them(server: Scripted) -> None:
    def warm_up(answer: Answer) -> None:
        if "stream_options" in server.asked[-1][2]:
            return answer.plain(400, {"error": {"message": "Unknown parameter: stream_options"}})
        return answer.stream([delta("Hi", "length"), "[DONE]"])

    server.script_of_warm_up = warm_up
    model = loaded(server)
    assert turn(model)[0] == SAID
    assert "stream_options" not in server.asked[-1][2]
    assert model.facts()["llm_request"] == "stream_options not sent"


SILENT: list[tuple[list[str], list[str], str]] = [
    ([delta("", role="assistant"), delta(finish="stop")], [], "the server's reply has no text"),
    ([delta(" \n"), delta(finish="stop")], ["llm.first_token"], "the server's reply has no text"),
    ([delta(reasoning="Hm."), delta(finish="stop")], ["llm.first_token"], "the server's reply has thoughts alone"),
    (
        [delta("<think>Hm"), delta(finish="length")],
        ["llm.first_token"],
        "the reply was cut off after 128 tokens (llm-max-tokens) and has thoughts alone",
    ),
    (
        [delta(refusal="I can"), delta(refusal="not."), delta(finish="stop")],
        [],
        "the model refused to answer: I cannot.",
    ),
    ([delta(finish="content_filter")], [], "the server's content filter withheld the reply"),
    (
        [delta(tool_calls=[{"function": {"name": "get_time"}}]), delta(finish="tool_calls")],
        [],
        "the model called the tool get_time instead of answering",
    ),
]


@pytest.mark.parametrize(("events", "tokens", "why"), SILENT, ids=[why for *_, why in SILENT])
def test_a_reply_without_an_answer_is_no_error_and_says_why(
    server: Scripted, events: list[str], tokens: list[str], why: str
) -> None:
    server.script = streamed(*events, "[DONE]")
    pieces, trace = turn(loaded(server))
    assert "".join(pieces).strip() == ""
    assert marks(trace) == ["llm.first_byte", *tokens]
    assert [(text.kind, text.text) for text in trace.texts] == [("shortcoming", why)]


def test_an_answer_that_the_filter_cut_off_says_so(server: Scripted) -> None:
    server.script = streamed(delta("Well,"), delta(finish="content_filter"), "[DONE]")
    pieces, trace = turn(loaded(server))
    assert pieces == ["Well,"]
    assert [text.text for text in trace.texts] == ["the server's content filter cut the reply off"]


def test_white_space_is_a_token_and_no_text(server: Scripted) -> None:
    server.script = streamed(delta("\n"), delta("Yes."), delta(finish="stop"), "[DONE]")
    pieces, trace = turn(loaded(server))
    assert pieces == ["\n", "Yes."]
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    assert trace.marks[1].at_ns < trace.marks[2].at_ns


THOUGHTS_ONLY_CLOSED = [delta("The user asks. "), delta("</think>"), *map(delta, SAID), delta(finish="stop"), "[DONE]"]


def test_a_model_that_only_closes_its_thoughts_is_found_at_loading(server: Scripted) -> None:
    server.script = server.script_of_trial = streamed(*THOUGHTS_ONLY_CLOSED)
    model = loaded(server)
    assert model.facts()["llm_thoughts"] == "closed without being opened"
    pieces, trace = turn(model)
    assert "".join(pieces) == "The sky is blue."
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]


def test_thoughts_that_loading_did_not_show_mark_the_turn(server: Scripted) -> None:
    server.script = streamed(*THOUGHTS_ONLY_CLOSED)
    pieces, trace = turn(loaded(server))
    assert "".join(pieces) == "The user asks. The sky is blue."
    assert "llm.thoughts_unclear" in marks(trace)


def test_a_server_that_takes_only_the_new_name_is_measured(server: Scripted) -> None:
    def warm_up(answer: Answer) -> None:
        if "max_tokens" in server.asked[-1][2]:
            return answer.plain(400, {"error": {"message": "Use 'max_completion_tokens'", "param": "max_tokens"}})
        return answer.stream([delta("Hi", "length"), "[DONE]"])

    server.script_of_warm_up = warm_up
    model = loaded(server)
    assert turn(model)[0] == SAID
    body = server.asked[-1][2]
    assert body["max_completion_tokens"] == 128 and "max_tokens" not in body
    assert model.facts()["llm_request"] == "max_tokens is sent as max_completion_tokens"


def test_a_model_that_needs_room_to_think_is_loaded_with_more_tokens(server: Scripted) -> None:
    server.script_of_warm_up = plain(400, {"error": {"message": "Could not finish: max_tokens was reached"}})
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("answer", [lambda answer: answer.hang_up(), lambda answer: answer.plain(400, "too long")])
def test_a_trial_that_fails_does_not_fail_the_load(server: Scripted, answer: Callable[[Answer], None]) -> None:
    server.script_of_trial = answer
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("done", [["[DONE]"], []])
def test_a_stream_that_stays_open_after_the_reply_holds_nothing_up(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, done: list[str]
) -> None:
    ended = Event()

    def script(answer: Answer) -> None:
        answer.stream([*map(delta, SAID), delta(finish="stop"), *done], end=False)
        answer.server.over.wait(10)
        ended.set()

    monkeypatch.setattr(loading, "END_S", 0.05)
    server.script = server.script_of_trial = script
    model = loaded(server)
    for _ in range(2):
        assert turn(model)[0] == SAID
    assert not ended.is_set(), "they were still open"


def test_compressed_events_are_read_as_they_come(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        compressor = zlib.compressobj(wbits=31)
        answer.begin(Content_Encoding="gzip")
        for data in (*map(delta, SAID), delta(finish="stop"), "[DONE]"):
            answer.send(compressor.compress(f"data: {data}\n\n".encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))
        answer.send(compressor.flush())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-ndjson"])
def test_events_count_whatever_their_content_type(server: Scripted, kind: str) -> None:
    def script(answer: Answer) -> None:
        answer.begin(kind)
        for data in (*map(delta, SAID), delta(finish="stop"), "[DONE]"):
            answer.send(f"data: {data}\n\n".encode())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    assert turn(loaded(server))[0] == SAID


def late(answer: Answer) -> None:
    answer.server.over.wait(5)


def stuck(answer: Answer) -> None:
    answer.stream([delta("One")], end=False)
    answer.server.over.wait(5)


def broken(answer: Answer) -> None:
    answer.stream([delta("One")], end=False)
    answer.hang_up()


def ended_early(answer: Answer) -> None:
    answer.stream([delta("One"), delta(" two")])


def endless(again: str, *first: str) -> Callable[[Answer], None]:
    """Some events, then one again and again."""

    def script(answer: Answer) -> None:
        answer.begin()
        with suppress(OSError):
            for data in first:
                answer.send(f"data: {data}\n\n".encode())
            while not answer.server.over.is_set():
                answer.send(f"data: {again}\n\n".encode())

    return script


def endless_line(answer: Answer) -> None:
    answer.begin()
    while not answer.server.over.is_set():
        answer.send(b"data: " + b"x" * (1 << 20))


def streamed(*events: str) -> Callable[[Answer], None]:
    return lambda answer: answer.stream(list(events))


def plain(status: int, body: Any, **headers: str) -> Callable[[Answer], None]:
    return lambda answer: answer.plain(status, body, **headers)


BAD: list[tuple[Callable[[Answer], None], str]] = [
    (late, r"it sent nothing for 0\.5 s \(llm-timeout\)"),
    (stuck, r"it sent nothing for 0\.5 s \(llm-timeout\)"),
    (lambda answer: answer.hang_up(), r"(?i)reset|disconnected"),
    (broken, r"(?i)reset|incomplete|closed"),
    (ended_early, "its stream broke off before the reply was complete"),
    (endless_line, "an event of its stream is longer than 1048576 bytes"),
    (plain(429, {"error": {"message": "slow\ndown"}}), r"it answered 429: slow down$"),
    (plain(500, "Internal\x1b[31m error\nTraceback"), r"it answered 500: Internal\ufffd\[31m error$"),
    (plain(503, ""), r"it answered 503$"),
    (plain(422, {"detail": "Unexpected fields in the request: {'seed'}"}), r"it answered 422: Unexpected fields"),
    (
        plain(307, "", Location="http://elsewhere.example/v1"),
        r"a redirect to http://elsewhere\.example/v1, which is not",
    ),
    (plain(200, {"error": {"message": "Invalid API key"}}), "an error instead of a stream: Invalid API key$"),
    (plain(200, {"detail": "Invalid API key"}), "an error instead of a stream: Invalid API key$"),
    (plain(200, "<title>Log in</title>", Content_Type="text/html"), "a document instead of a stream: Log in$"),
    (plain(200, "Service down"), "its answer contains no server-sent events: Service down$"),
    (plain(502, "<html><title>502 Bad Gateway</title>"), "it answered 502: 502 Bad Gateway$"),
    (
        streamed(delta("One"), '{"object": "error", "message": "context is too long"}'),
        "mid-stream: context is too long$",
    ),
    (plain(200, {"choices": [{}]}, Content_Type="application/json"), "whole reply at once"),
    (streamed('{"choices": [', "[DONE]"), "is not JSON"),
    (streamed("[" * 100_000), "is not JSON"),
    (streamed("[1]"), "not a JSON object"),
    (endless(delta("la la. ")), "goes on past llm-max-tokens"),
    (endless(delta(reasoning="hm")), "goes on past llm-max-tokens"),
    (streamed('{"choices": 3}'), "not a list of objects"),
    (streamed('{"choices": [{"delta": 3}]}'), "delta is not an object"),
    (streamed('{"choices": [{"delta": {"content": 3}}]}'), "content is not text"),
    (streamed(delta("One"), '{"error": {"message": "out of memory"}}'), "an error mid-stream: out of memory"),
    (streamed('{"choices": []}', "[DONE]"), "its stream contains no choices"),
    (streamed(), "broke off"),
    (plain(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}), r"provided: \[key\]"),
    (plain(400, "x" * 190 + KEY), "x" * 190 + r"\[key\]$"),
    (streamed("no JSON: " + KEY), r"no JSON: \[key\]"),
]


@pytest.mark.parametrize(("script", "said"), BAD)
def test_each_failure_is_one_line_and_the_next_turn_is_answered(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, script: Callable[[Answer], None], said: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = loaded(server, llm_timeout=0.5 if "llm-timeout" in said else 5.0)
    good = server.script
    before = len(server.asked)
    server.script = script
    with pytest.raises(ServerError, match=said) as raised:
        turn(model)
    assert str(raised.value).startswith(f"The server {server.url}: ")
    assert "\n" not in str(raised.value)
    assert KEY[:12] not in str(raised.value)
    assert len(server.asked) == before + 1, "nothing is tried twice"
    server.script = good
    assert turn(model)[0] == SAID


def test_a_reply_is_complete_when_it_says_so_whatever_follows(server: Scripted) -> None:
    """A stream that is kept open would otherwise hold back the end of the reply, or the whole of a short one."""
    model = loaded(server)
    server.script = endless("[DONE]", delta("Fine."), delta(finish="stop"))
    for _ in range(2):
        assert turn(model)[0] == ["Fine."]


def test_a_broken_character_is_replaced(server: Scripted) -> None:
    model = loaded(server)
    server.script = streamed(delta("Well \ud800 done."), delta(finish="stop"))
    assert turn(model)[0] == ["Well ? done."]


def test_an_endless_model_listing_is_abandoned(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def listing(answer: Answer) -> None:
        answer.begin("application/json")
        with suppress(OSError):
            while not answer.server.over.is_set():
                answer.send(b"[" * 65_536)

    monkeypatch.setattr(Answer, "do_GET", listing)
    with pytest.raises(ServerError, match="it does not list its models"):
        engine(server.url).load()


def test_a_cancelled_turn_leaves_no_connection_behind(server: Scripted) -> None:
    model = loaded(server)
    pieces = model.reply("Why?", Trace(MonotonicClock()))
    assert next(pieces) == "The"
    pieces.close()  # type: ignore[attr-defined]
    assert turn(model)[0] == SAID


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("<html><title>Open WebUI</title></html>", "it does not list its models, but answers: Open WebUI"),
        ({"error": "Unauthorised"}, "it does not list its models, but answers: Unauthorised"),
        ("", "it does not list its models\\."),
    ],
)
def test_a_listing_that_is_none_says_what_it_is(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, listing: Any, said: str
) -> None:
    monkeypatch.setattr(Answer, "do_GET", lambda answer: answer.plain(200, listing))
    with pytest.raises(ServerError, match=said):
        engine(server.url).load()


def test_a_failed_listing_does_not_break_what_follows(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that failed resets the connection a moment later."""

    def fail(answer: Answer) -> None:
        answer.plain(500, "Internal Server Error")
        answer.hang_up()

    monkeypatch.setattr(Answer, "do_GET", fail)
    assert turn(loaded(server, llm_model="tiny"))[0] == SAID


def test_a_server_that_is_down_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(BenchError, match=r"cannot connect: .*Connection refused\. Check that the server is running"):
        engine(url, llm_model="tiny").load()


def test_a_server_that_refuses_at_loading_is_explained(server: Scripted) -> None:
    server.script_of_warm_up = plain(404, {"error": {"message": "The model `x` does not exist"}})
    with pytest.raises(ServerError, match=r"it answered 404: The model `x` does not exist\. Check .*llm-model"):
        engine(server.url, llm_model="x").load()


def test_with_several_models_one_must_be_named(server: Scripted) -> None:
    server.models = ("small", "large")
    with pytest.raises(UsageError, match="llm-model is empty, and the server lists small, large"):
        engine(server.url).load()
    loaded(server, llm_model="large")
    assert server.asked[-1][2]["model"] == "large"


def test_a_redirect_does_not_carry_the_key_along(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as other:
        server.script_of_warm_up = plain(307, "", Location=f"{other.url}/chat/completions")
        with pytest.raises(ServerError, match="which is not followed"):
            engine(server.url).load()
        assert other.asked == []


def test_the_key_is_in_no_record(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.models = (f"tiny {KEY}",)
    model = loaded(server, llm_key_env="MY_KEY")
    assert server.asked[-1][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{model.facts()} {model.weights()} {model.settings}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"llm_key_env": KEY}, "not the name of an environment variable"),
        ({"llm_key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, which is not set"),
        ({"llm_timeout": 0.0}, "llm-timeout is 0.0"),
        ({"llm_timeout": float("nan")}, "llm-timeout is nan"),
        ({"llm_timeout": float("inf")}, "llm-timeout is inf"),
        ({"llm_temperature": float("inf")}, "llm-temperature is inf"),
        ({"llm_temperature": -1.0}, "llm-temperature is -1.0"),
    ],
)
def test_impossible_options_are_refused(server: Scripted, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        engine(server.url, **changed).load()
    assert KEY not in str(raised.value)


def test_a_key_that_is_invalid_in_a_header_is_refused(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not a valid key") as raised:
        engine(server.url).load()
    assert "sk-" not in str(raised.value)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x/v1", "http://", "http://x:99999/v1", "http://[::1/v1"])
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="llm-url is not a valid URL"):
        engine(url)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@x/v1", f"http://x/v1?key={KEY}"])
def test_an_address_with_a_secret_is_refused_unrepeated(url: str) -> None:
    with pytest.raises(UsageError, match="recorded with every run") as raised:
        engine(url)
    assert KEY not in str(raised.value)


def test_the_address_of_the_endpoint_itself_is_understood(server: Scripted) -> None:
    model = engine(server.url + "/chat/completions")
    model.load()
    assert turn(model)[0] == SAID
