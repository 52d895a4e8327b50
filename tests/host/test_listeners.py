"""A server on this machine is found by its address, with the processes that listen there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import psutil
import pytest

from firstpacket.bench.host.listeners import LocalServer, descends_from, local_servers


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as line:
        yield int(line.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_whoever_listens_at_a_url_of_this_machine_is_found(host: str, port: int) -> None:
    url = f"http://{host}:{port}/v1"
    assert local_servers([url, url]) == (LocalServer(url, (os.getpid(),), (psutil.Process().name(),)),)


def test_whoever_listens_at_a_unix_socket_is_found() -> None:
    path = f"{gettempdir()}/firstpacket-{os.getpid()}.sock"  # such a path must be short, unlike tmp_path
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            assert local_servers([f"unix://{path}"])[0].pids == (os.getpid(),)
    finally:
        Path(path).unlink()
    assert local_servers([f"unix://{path}"]) == (LocalServer(f"unix://{path}"),)


def test_an_address_of_this_machine_without_a_listener_has_no_processes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        url = f"http://127.0.0.1:{line.getsockname()[1]}"
    assert local_servers([url]) == (LocalServer(url),)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/v1", "http://[::1", "file:///etc/passwd", "nonsense", "http://:99999"]
)
def test_what_is_not_on_this_machine_has_no_server_here(url: str) -> None:
    assert local_servers([url]) == ()


def test_a_refusal_of_the_system_is_no_error(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    url = f"http://127.0.0.1:{port}"
    assert local_servers([url]) == (LocalServer(url),), "it is here, but cannot be seen"


def test_descent_is_followed_up_to_the_roots() -> None:
    assert descends_from(os.getpid(), [os.getppid()]) and descends_from(os.getpid(), [os.getpid()])
    assert not descends_from(os.getppid(), [os.getpid()]) and not descends_from(2**30, [1])
