"""One server over HTTP: connected before a turn, each exchange recorded as it happened, without a secret."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from firstpacket.bench.errors import UsageError
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace

pytest.importorskip("httpx2")

from httpcore2 import MockStream
from support.http_exchange import KEY, TOKEN, certificate, exchanged, server_at
from support.llm_server import Answer, Scripted, delta, serving
from support.tunnel import tunneling

from firstpacket.pipelines.remote.http import recording
from firstpacket.pipelines.remote.http.answer import LONGEST_HEADER
from firstpacket.pipelines.remote.http.connection import StampedStream
from firstpacket.pipelines.remote.http.server import Content
from firstpacket.pipelines.remote.problems import MOST, ServerError

ASKED = Content(json={"messages": [{"role": "user", "content": "Why?"}]})


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as made:
        made.script = lambda answer: answer.stream([delta("Yes."), delta(finish="stop"), "[DONE]"])
        yield made


def test_an_exchange_is_recorded_in_the_order_of_its_times(server: Scripted) -> None:
    server.script = lambda answer: answer.stream([delta("Yes."), "no JSON", '{"type": "x.done", "text": "Yes"}'])
    request, head, *events = exchanged(server_at(server.url), ASKED).messages
    assert (request.sent, request.type) == (True, "POST /v1/chat/completions")
    assert 0 < request.due_ns <= request.at_ns <= request.done_ns <= head.at_ns
    assert request.bytes == len(json.dumps(ASKED.json, separators=(",", ":")))
    assert json.loads(request.body) == ASKED.json
    assert (head.sent, head.type) == (False, "HTTP 200")
    assert json.loads(head.body)["content-type"] == "text/event-stream"
    assert [event.type for event in events] == ["data", "data", "x.done"]
    assert events[1].body == "no JSON" and events[1].bytes == len("no JSON")
    assert [head.at_ns, *[event.at_ns for event in events]] == sorted([head.at_ns, *[event.at_ns for event in events]])


def test_what_comes_later_has_a_later_time(server: Scripted) -> None:
    """The server sends its second event only once the first was read; a stamp at parsing time would not show it."""

    def script(answer: Answer) -> None:
        answer.stream(["first"], end=False)
        assert answer.server.over.wait(5)
        # Two chunks in one segment: they are parsed one after the other, but were read at once.
        answer.wfile.write(b"e\r\ndata: second\n\n\r\nd\r\ndata: third\n\n\r\n0\r\n\r\n")

    server.script = script
    trace = Trace(MonotonicClock())
    remote = server_at(server.url)
    with remote.exchange("POST", f"{remote.url}/chat/completions", trace, ASKED) as answer:
        events = answer.events()
        first = next(events)
        between_ns = MonotonicClock().now_ns()
        server.over.set()
        second, third = events
    assert first.at_ns < between_ns < second.at_ns
    assert second.at_ns == third.at_ns, "they came in one read"


def test_audio_and_secrets_are_not_in_what_is_recorded(server: Scripted) -> None:
    audio = "UklGR" * 40
    said = json.dumps({"type": "speech.audio.delta", "audio": audio, "note": f"{KEY} {TOKEN}"})
    server.script = lambda answer: answer.stream([said, f"bare {KEY}"])
    asked = Content(json={"messages": [{"role": "user", "content": [{"input_audio": {"data": audio}, "text": KEY}]}]})
    trace = exchanged(server_at(server.url), asked)
    assert server.asked[-1][1]["Authorization"] == f"Bearer {KEY}" and server.asked[-1][1]["X-Token"] == TOKEN
    assert not [text for text in (KEY, TOKEN, audio) if text in repr(trace)]
    request, _, event, bare = trace.messages
    assert request.audio_bytes == event.audio_bytes == 150
    assert json.loads(event.body)["audio"] == "(200 characters)"
    assert bare.body == "bare [key]"


def test_a_secret_is_hidden_from_whoever_reads_the_events_and_in_its_escaped_form(server: Scripted) -> None:
    escaped = "".join(f"\\u{ord(mark):04x}" for mark in KEY)
    server.script = lambda answer: answer.stream([f"bare {KEY}", f'{{"note": "{escaped}"}}'])
    remote, trace = server_at(server.url), Trace(MonotonicClock())
    with remote.exchange("POST", f"{remote.url}/chat/completions", trace, ASKED) as answer:
        assert next(answer.events()).data == "bare [key]"
        for _ in answer.events_from(answer.begin()):
            pass
    assert json.loads(trace.finish().messages[-1].body) == {"note": "[key]"}


def test_a_secret_is_hidden_before_a_long_text_is_cut_within_it(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        answer.begin(X_Request_Id="x" * (LONGEST_HEADER - 10) + KEY)
        answer.send(f"{'y' * (MOST - 10)}{KEY}\n\n".encode())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    remote, trace = server_at(server.url), Trace(MonotonicClock())
    with (
        pytest.raises(ServerError, match="no server-sent events: yyy") as raised,
        remote.exchange("POST", f"{remote.url}/chat/completions", trace, ASKED) as answer,
    ):
        list(answer.events())
    assert KEY[:10] not in repr(trace.finish()) and KEY[:10] not in str(raised.value)


def test_a_request_begins_with_its_first_write() -> None:
    times = iter(range(1, 9))
    stream = StampedStream(MockStream([]), lambda: next(times))
    stream.write(b"head")
    stream.write(b"body")
    assert (stream.write_begun_ns, stream.written_ns) == (1, 3)


def test_of_many_messages_the_rest_is_counted(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST", 4)
    server.script = lambda answer: answer.stream(["x" * 5000, "b", "c", "d", "e"])
    messages = exchanged(server_at(server.url), ASKED).messages
    assert len(messages) == 6
    assert messages[2].body == "x" * 4000 + "… (5,000 characters)"
    assert messages[-1].type == "2 more messages, which were not recorded" and messages[-1].bytes == 2


def test_the_connection_stands_before_the_turn_and_serves_the_next(server: Scripted) -> None:
    remote = server_at(server.url)
    sessions = [exchanged(remote, ASKED).session for _ in range(3)]
    assert server.connections == 1
    assert [session is not None for session in sessions] == [True, False, False]
    assert sessions[0] is not None and sessions[0].begun_ns < sessions[0].ready_ns and not sessions[0].renewed


def test_a_connection_that_the_server_ended_is_renewed_before_the_turn(server: Scripted) -> None:
    remote = server_at(server.url)

    def script(answer: Answer) -> None:
        answer.stream([delta(finish="stop")])
        answer.connection.settimeout(0.01)  # ends it as a server does that waits for no further request

    server.script = script
    exchanged(remote, ASKED)
    assert server.closed.acquire(timeout=5)
    session = exchanged(remote, ASKED).session
    assert session is not None and session.renewed


def test_several_set_ups_of_a_turn_are_one_session(server: Scripted) -> None:
    trace = Trace(MonotonicClock())
    for _ in range(2):
        server_at(server.url).prepare(trace)
    session = trace.finish().session
    assert session is not None and session.begun_ns < session.open_ns == session.ready_ns


def test_a_server_that_is_down_fails_the_preparation() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(ServerError, match=r"cannot connect: .*refused"):
        server_at(url).prepare(Trace(MonotonicClock()))


@pytest.mark.parametrize("url", ["http://exa mple/v1", "http://xn--/v1", "http://\u2603.\u00ad/v1"])
def test_a_host_that_is_none_is_explained(url: str) -> None:
    with pytest.raises((UsageError, ServerError), match=r"is not a valid URL|cannot connect"):
        server_at(url).prepare(Trace(MonotonicClock()))


def test_an_endless_answer_is_given_up(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstpacket.pipelines.remote.http.answer.MOST", 1 << 20)

    def script(answer: Answer) -> None:
        answer.begin()
        with suppress(OSError):
            while not answer.server.over.is_set():
                answer.send(b": still there\n\n" * 1000)

    server.script = script
    with pytest.raises(ServerError, match="longer than 1,048,576 bytes"):
        exchanged(server_at(server.url), ASKED)


def test_a_compressed_answer_that_expands_without_end_is_given_up(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr("firstpacket.pipelines.remote.http.answer.MOST", 1 << 16)

    def script(answer: Answer) -> None:
        answer.begin(Content_Encoding="gzip")
        answer.send(gzip.compress(b": nothing\n\n" * 1_000_000))
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    with pytest.raises(ServerError, match="longer than 65,536 bytes"):
        exchanged(server_at(server.url), ASKED)


# TLS and proxies.


@pytest.fixture
def tls(tmp_path: Path, server: Scripted) -> Path:
    """The server speaks TLS; gives its certificate."""
    made = certificate(tmp_path, "127.0.0.1")
    if made is None:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return made[0]


def test_a_certificate_is_verified_unless_its_authority_is_named(
    server: Scripted, tls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(ServerError, match=r"cannot connect: .*certificate verify failed"):
        exchanged(server_at(url), ASKED)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls))
    trace = exchanged(server_at(url), ASKED)
    assert trace.session is not None and trace.messages[1].type == "HTTP 200"
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with pytest.raises(UsageError, match="SSL_CERT_FILE or SSL_CERT_DIR names authorities that cannot be read"):
        server_at(url)


def test_a_proxy_of_the_environment_is_used_for_other_machines_only(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:pass%20word@127.0.0.1:{server.server_port}")
    exchanged(server_at("http://server.example/v1"), ASKED)
    path, headers, _ = server.asked[-1]
    assert path == "http://server.example:80/v1/chat/completions"
    assert (headers["Host"], headers["Proxy-Authorization"]) == ("server.example", "Basic bWU6cGFzcyB3b3Jk")
    exchanged(server_at(server.url), ASKED)
    assert server.asked[-1][0] == "/v1/chat/completions"
    monkeypatch.setenv("NO_PROXY", "server.example")
    with pytest.raises(ServerError, match="cannot connect"):
        exchanged(server_at("http://server.example/v1"), ASKED)


@pytest.fixture
def tunnel(server: Scripted) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that opens tunnels, all of them to the server; gives its URL, and what it is asked."""
    with tunneling() as (url, asked, ports):
        ports.append(server.server_port)
        yield url, asked


def test_a_tunnel_through_a_proxy_is_encrypted_end_to_end(
    server: Scripted, tunnel: tuple[str, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path, "server.example")
    if made is None:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url, asked = tunnel
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    trace = exchanged(server_at("https://server.example/v1"), ASKED)
    assert trace.session is not None and [message.type for message in trace.messages][:2] == [
        "POST /v1/chat/completions",
        "HTTP 200",
    ]
    assert asked[0].startswith(b"CONNECT server.example:443 HTTP/1.1\r\n") and KEY.encode() not in asked[0]
    assert server.asked[-1][1]["Authorization"] == f"Bearer {KEY}"


def test_a_proxy_that_cannot_be_used_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@127.0.0.1:1080")
    with pytest.raises(UsageError, match=r"HTTPS_PROXY to one, or add server\.example to NO_PROXY") as raised:
        server_at("https://server.example/v1")
    assert "secret" not in str(raised.value)
