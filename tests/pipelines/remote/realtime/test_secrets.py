"""A server that repeats the key in every place it has: nothing of a run may contain it. Then TLS and proxies."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("websockets")

from support.command import bench, write_clips
from support.http_exchange import KEY, certificate
from support.realtime_server import Gone, Peer, Server, websocket_server
from support.realtime_turns import connected
from support.tunnel import tunneling

from firstpacket.bench.errors import BenchError
from firstpacket.bench.record.store import read_run

ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
LONG_PROSE = "x" * (300 - len(KEY) // 2)
"""Cuts the key in two where a message is shortened."""


class Echo(Server):
    """Says it in another way in each connection."""

    def __init__(self) -> None:
        super().__init__(think_ms=1, ready_ms=0, connect_ms=0, transcript=f"you said {KEY}", reply=f"It is {KEY}.")
        self.overrides = {"instructions": f"obey {KEY}", KEY: KEY}
        self.metadata = {KEY: KEY}

    def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
        ways[(len(self.peers) - 2) % len(ways)](self, peer)


def spoken(server: Echo, peer: Peer) -> None:
    Server.respond(server, peer, 1)


def split(server: Echo, peer: Peer) -> None:
    ids = {"response_id": f"resp_{KEY}", "item_id": KEY}
    peer.say("response.created", response={"id": f"resp_{KEY}", "status": "in_progress"})
    for letter in f"say {KEY} {KEY}":
        peer.say("conversation.item.input_audio_transcription.delta", **ids, delta=letter)
        peer.say("response.output_text.delta", **ids, delta=letter)
    for piece in (KEY[:9], KEY[9:], f"and {KEY[:5]}", KEY[5:]):
        peer.say("response.output_audio_transcript.delta", **ids, delta=piece)
    Server.respond(server, peer, 1)
    peer.say("response.done", response={"id": f"resp_{KEY}", "status": KEY})


def escaped(server: Echo, peer: Peer) -> None:
    peer.deliver(f'{{"type": "error", "error": {{"code": "{ESCAPED}", "message": "no {ESCAPED}"}}, "{ESCAPED}": 1}}')


def named(server: Echo, peer: Peer) -> None:
    peer.say(KEY)
    peer.say("error", error={"code": KEY, "type": KEY, "message": f"{LONG_PROSE}{KEY}", "param": {KEY: [KEY]}})


def garbage(server: Echo, peer: Peer) -> None:
    peer.deliver(f"{'y' * 110} {KEY}")


def failed(server: Echo, peer: Peer) -> None:
    details = {"type": "failed", "reason": KEY, "error": {"code": KEY, "message": KEY}}
    peer.say("response.done", response={"status": "failed", "status_details": details})


def closing(server: Echo, peer: Peer) -> None:
    peer.end(4000, f"bad {KEY}")


ways: tuple[Callable[[Echo, Peer], None], ...] = (spoken, split, escaped, named, garbage, failed, closing)
REFUSED = len(ways) + 2
"""The connection that is refused before it becomes a WebSocket."""


def refusing(connection: Any, request: Any) -> Any:
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    refusing.count += 1  # type: ignore[attr-defined]
    if refusing.count != REFUSED:  # type: ignore[attr-defined]
        return None
    response = connection.respond(HTTPStatus.UNAUTHORIZED, f"{LONG_PROSE}{KEY}")
    response.headers["X-Key"] = KEY
    return response


def leaks(*texts: bytes) -> list[str]:
    """Parts of the key, of eight characters, that are in the texts."""
    parts = [KEY[at : at + 8] for at in range(len(KEY) - 7)]
    return [part for part in parts if any(part.encode() in text for text in texts)]


def test_no_file_of_a_run_has_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    refusing.count = 0  # type: ignore[attr-defined]
    out = tmp_path / "run"
    with websocket_server(Echo(), process_request=refusing) as url:
        done = bench(
            *("run", "-p", f"realtime,url={url},turns=manual,key-env=MY_KEY", "--input", "file"),
            *("--corpus", write_clips(tmp_path / "clips", 1), "--turns", len(ways) + 2, "--warmup", "0", "--out", out),
        )
    assert done.returncode == 0, done.stderr
    found = read_run(out).turns
    reasons = {turn.reason for turn in found}
    assert {turn.outcome for turn in found} == {"answered", "failed", "session_ended", "refused"}, reasons
    assert any("(401)" in reason for reason in reasons)
    files = [file.read_bytes() for file in out.rglob("*") if file.is_file()]
    assert not leaks(*files, done.stdout.encode(), done.stderr.encode())
    assert sum(text.count(b"[key]") for text in files) > 20, "what the server repeated was there to be found"


def refuse(connection: Any, _: Any) -> Any:
    return connection.respond(HTTPStatus.UNAUTHORIZED, f"{LONG_PROSE}{KEY}")


@pytest.mark.parametrize("way", ["refusal", "error", "close"])
def test_no_error_at_loading_has_the_key_nor_has_its_cause(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers log whole tracebacks."""
    monkeypatch.setenv("MY_KEY", KEY)

    def server(peer: Peer) -> None:
        if way == "error":
            peer.say("error", error={"code": "invalid_api_key", "message": f"{LONG_PROSE}{KEY}"})
            with suppress(Gone):
                peer.receive()
        else:
            peer.end(4001, f"no {KEY}")

    options = {"process_request": refuse} if way == "refusal" else {}
    with websocket_server(server, **options) as url, pytest.raises(BenchError) as raised:
        connected(url, key_env="MY_KEY")
    assert "Check that the server is running" in str(raised.value)
    assert not leaks("".join(traceback.format_exception(raised.value)).encode())


# TLS and proxies.


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def quick() -> Server:
    return Server(think_ms=1, ready_ms=0)


def tls(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the host, and a server's context with it."""
    made = certificate(folder, host)
    if made is None:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    return made[0], context


def test_a_certificate_is_verified_unless_its_authority_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = tls(tmp_path, "127.0.0.1")
    with websocket_server(quick(), ssl=context) as url:
        with pytest.raises(BenchError, match=r"certificate is not trusted: self.signed certificate.* SSL_CERT_FILE"):
            connected(url, timeout=3)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert connected(url, turns="manual").turn("file").outcome == "answered"
        with pytest.raises(BenchError, match=r"certificate is not trusted: .*mismatch"):
            connected(url.replace("127.0.0.1", "localhost"), timeout=3)


@pytest.fixture
def tunnel() -> Iterator[tuple[str, list[bytes], list[int]]]:
    with tunneling() as made:
        yield made


def test_a_tunnel_through_a_proxy_is_encrypted_end_to_end(
    tunnel: tuple[str, list[bytes], list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = tls(tmp_path, "server.example")
    proxy, asked, ports = tunnel
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setenv("MY_KEY", KEY)
    with websocket_server(quick(), ssl=context) as url:
        ports.append(int(url.rpartition(":")[2]))
        pipeline = connected("wss://server.example", turns="manual", key_env="MY_KEY")
        assert pipeline.turn("file").outcome == "answered"
    assert len(asked) == 2 and asked[0].startswith(b"CONNECT server.example:443 HTTP/1.1\r\n")
    assert not leaks(*asked)


def test_a_server_of_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with websocket_server(quick()) as url:
        assert connected(url, turns="manual").turn("file").outcome == "answered"


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1", "ftp://me:secret@127.0.0.1:1", "http://me@:x"])
def test_a_proxy_that_cannot_be_used_is_explained(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(BenchError, match=r"Set HTTPS_PROXY to one, or add server\.example to NO_PROXY") as raised:
        connected("wss://server.example", timeout=1)
    assert "secret" not in str(raised.value)
