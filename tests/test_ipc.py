"""The channel between two processes; that one ends with the other is tested where it is used."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from firstpacket.bench.errors import WorkerError
from firstpacket.bench.ipc import Channel, Closed, how_it_ended, kill_group, spawn


@dataclass(frozen=True)
class Note:
    text: str
    size: int = 0


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, {"note": Note})
    with theirs:
        yield channel, theirs
    channel.close()


def test_bytes_that_follow_a_message_may_be_any(ends: tuple[Channel, socket.socket]) -> None:
    here, connection = ends
    there, raw = Channel(connection, {"note": Note}), bytes(range(256)) * 50
    there.send(Note("a", len(raw)), raw)
    there.send(Note("b"))
    first = here.receive()
    assert (first.text, here.receive_raw(first.size)) == ("a", raw)
    assert here.receive() == Note("b")


@pytest.mark.parametrize("line", [b"noise", b"[1]", b'{"note": {"text": 3}}', b'{"other": {}}', b'{"a": 1, "b": 2}'])
def test_rubbish_is_refused(ends: tuple[Channel, socket.socket], line: bytes) -> None:
    here, there = ends
    there.sendall(line + b"\n")
    with pytest.raises(WorkerError, match="not a message"):
        here.receive()


def test_a_message_may_arrive_in_parts_and_may_time_out(ends: tuple[Channel, socket.socket]) -> None:
    here, there = ends
    line = json.dumps({"note": {"text": "hello"}}).encode() + b"\n"
    there.sendall(line[:7])
    assert here.receive(0.0) is None
    there.sendall(line[7:])
    assert here.receive() == Note("hello")


def test_a_closed_connection_is_an_error(ends: tuple[Channel, socket.socket]) -> None:
    here, there = ends
    there.close()
    with pytest.raises(Closed):
        here.receive()
    with pytest.raises(Closed):
        here.send(Note("a"))


def test_the_exit_of_a_process_is_described() -> None:
    ended, line = spawn([sys.executable, "-c", "raise SystemExit(7)"], 2, {})
    assert how_it_ended(ended, 60) == "exit code 7"
    line.close()
    killed, line = spawn([sys.executable, "-c", "import time; time.sleep(600)"], 2, {}, own_group=True)
    assert how_it_ended(killed, 0) == "it closed the connection"
    kill_group(killed)
    assert how_it_ended(killed, 0).startswith("killed by SIGKILL")
    line.close()
