"""The engine openai against a server in this process: its requests, its marks, and its errors."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.chat_stream import ServerError, Thoughts
from firstpacket.pipelines.cascade.llm.openai import OpenAIServer

pytest.importorskip("httpx2")

from support.llm_server import Answer, Scripted, delta, serving

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


@given(st.lists(st.integers(1, 60), max_size=12))
def test_reasoning_is_left_out_however_it_is_split(cuts: list[int]) -> None:
    for text, answer in (
        ("\n<think>\nA < b, or </thin k>?\n</think>\n\nYes, <think> is a tag.", "Yes, <think> is a tag."),
        ("<thinking> is no tag.", "<thinking> is no tag."),
        ("<think>without end", ""),
        ("<thi", "<thi"),
        ("", ""),
    ):
        places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
        thoughts = Thoughts()
        said = [thoughts.push(text[a:b]) for a, b in pairwise(places)]
        # White space after the closing tag is the answer's when it comes in a piece of its own.
        assert ("".join(said) + thoughts.flush()).lstrip() == answer


def test_counts_are_kept_if_they_come(server: Scripted) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 5}})
    server.script = lambda answer: answer.stream([*map(delta, SAID), delta(finish="stop"), usage, "[DONE]"])
    model = loaded(server)
    pieces, trace = turn(model)
    assert pieces == SAID
    assert trace.usage is not None and (trace.usage.prompt_tokens, trace.usage.reply_tokens) == (31, 5)
    assert not trace.texts
    assert model.facts() == {"llm_model": "tiny", "llm_usage": "asked for"}


def test_a_server_that_refuses_usage_counts_is_asked_without_them(server: Scripted) -> None:
    def warm_up(answer: Answer) -> None:
        if "stream_options" in server.asked[-1][2]:
            return answer.plain(400, {"error": {"message": "Unknown parameter: stream_options"}})
        return answer.stream([delta("Hi", "length"), "[DONE]"])

    server.script_of_warm_up = warm_up
    model = loaded(server)
    assert turn(model)[0] == SAID
    assert "stream_options" not in server.asked[-1][2]
    assert model.facts()["llm_usage"] == "not accepted"


def test_a_reply_of_nothing_is_no_error(server: Scripted) -> None:
    server.script = lambda answer: answer.stream([delta(role="assistant"), delta(finish="stop"), "[DONE]"])
    pieces, trace = turn(loaded(server))
    assert "".join(pieces) == ""
    assert marks(trace) == ["llm.first_byte"]


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
    (endless_line, "exceeded the .* byte limit"),
    (plain(429, {"error": {"message": "slow\ndown"}}), r"it answered 429: slow down$"),
    (plain(500, "Internal\x1b[31m error\nTraceback"), r"it answered 500: Internal\ufffd\[31m error$"),
    (plain(503, ""), r"it answered 503$"),
    (plain(422, {"detail": "Unexpected fields in the request: {'seed'}"}), r"it answered 422: Unexpected fields"),
    (
        plain(307, "", Location="http://elsewhere.example/v1"),
        r"a redirect to http://elsewhere\.example/v1, which is not",
    ),
    (plain(200, {"choices": []}, Content_Type="application/json"), "text/event-stream"),
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


def test_a_key_that_no_header_can_hold_is_refused(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
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
