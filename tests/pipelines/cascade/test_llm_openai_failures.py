"""What fails at a chat server is one line with its reason, and the next turn is answered."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from firstpacket.bench.errors import BenchError
from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.problems import ServerError

pytest.importorskip("httpx2")

from support.llm_engine import KEY, SAID, answering, engine, loaded, plain, streamed, turn
from support.llm_server import Answer, Scripted, delta


@pytest.fixture
def server() -> Iterator[Scripted]:
    with answering() as made:
        yield made


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
    with pytest.raises((ServerError, TurnEnded), match=said) as raised:
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
