"""The real transport: bytes over TCP and unix sockets, stamped at receipt, abandoned at once when it is closed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstpacket.bench.timing.cancellation import Cancellation
from firstpacket.pipelines.remote.wyoming import transport
from firstpacket.pipelines.remote.wyoming.address import Address, address
from firstpacket.pipelines.remote.wyoming.transport import Arrival, Closed, Transport, dial

Pair = tuple[Transport, socket.socket]


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Both ends of a connection."""
    with socket.socket(socket.AF_INET if request.param == "tcp" else socket.AF_UNIX) as listening:
        if request.param == "tcp":
            listening.bind(("127.0.0.1", 0))
            uri = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        else:
            monkeypatch.chdir(tmp_path)  # the path of a unix socket must be short
            listening.bind("server.sock")
            uri = f"unix://{tmp_path}/server.sock"
        listening.listen()
        made = dial(_short(address(uri, "asr-uri", 10300)), 5, Cancellation())
        server, _ = listening.accept()
    with server:
        yield made, server
        made.close()


def _short(found: Address) -> Address:
    return Address(found.uri, path="server.sock") if found.path and not found.host else found


def test_bytes_both_ways(pair: Pair) -> None:
    made, server = pair
    made.write(b"ping")
    assert server.recv(100) == b"ping"
    before_ns = made.clock.now_ns()
    server.sendall(b"pong")
    arrived = made.arrivals.get()
    assert isinstance(arrived, Arrival) and arrived.data == b"pong"
    assert before_ns < arrived.at_ns <= made.clock.now_ns()


def test_a_busy_consumer_does_not_delay_the_stamps(pair: Pair) -> None:
    made, server = pair
    server.sendall(b"one")
    while not made.arrivals.qsize():  # type: ignore[attr-defined]
        time.sleep(0.001)
    later_ns = made.clock.now_ns()
    assert made.arrivals.get().at_ns < later_ns


def test_the_servers_close_is_the_last_arrival(pair: Pair) -> None:
    made, server = pair
    server.sendall(b"bye")
    server.close()
    assert made.arrivals.get().data == b"bye"
    end = made.arrivals.get()
    assert isinstance(end, Closed) and end.reason == "it closed the connection"


def test_a_reset(pair: Pair) -> None:
    made, server = pair
    if server.family == socket.AF_UNIX:
        pytest.skip("unix sockets know no reset")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert made.arrivals.get().reason == "the connection broke: Connection reset by peer"


def test_closing_wakes_a_thread_that_waits(pair: Pair) -> None:
    made, _ = pair
    ends: list[Closed] = []
    waiting = threading.Thread(target=lambda: ends.append(made.arrivals.get()))
    waiting.start()
    made.close()
    waiting.join(5)
    assert len(ends) == 1


def test_closing_wakes_a_write_that_the_server_does_not_read(pair: Pair) -> None:
    made, _ = pair
    began, problems = threading.Event(), list[Exception]()

    def write() -> None:
        began.set()
        try:
            made.write(b"x" * (1 << 26))
        except OSError as error:
            problems.append(error)

    writing = threading.Thread(target=write)
    writing.start()
    began.wait(5)
    made.close()
    writing.join(5)
    assert len(problems) == 1


def test_a_server_that_does_not_read_is_not_waited_for_for_ever(pair: Pair) -> None:
    made, _ = pair
    made._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 20_000))  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError, match="does not read"):
        made.write(b"x" * (1 << 26))


def test_a_flood_ends_the_line(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    made, server = pair
    monkeypatch.setattr(transport, "MOST_WAITING", 1 << 20)
    with pytest.raises(OSError):
        for _ in range(1000):
            server.sendall(b"x" * 65_536)
    items = [made.arrivals.get()]
    while not isinstance(items[-1], Closed):
        items.append(made.arrivals.get())
    assert items[-1].reason == "it sent more than 1 MiB faster than they can be used"
    assert sum(len(item.data) for item in items[:-1]) < 2 << 20


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dial(Address("", "127.0.0.1", port), 5, Cancellation())
    with pytest.raises(FileNotFoundError):
        dial(Address("", path="/nowhere/server.sock"), 5, Cancellation())
