"""A server as a process of its own: on a free port, with a log, and gone when its test run is, however that ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.ipc import how_it_ended, kill_group

HOST = "127.0.0.1"
LINES_SHOWN = 40
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class DidNotStart(Exception):
    """A server ended, or did not listen in time. Says how, with the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that listens at `HOST`."""

    name: str
    port: int
    log: Path

    def end_of_log(self) -> str:
        return _end(self.log)


@contextmanager
def started(
    name: str, command: Sequence[str | Path], port: int, log: Path, starting_s: float, **variables: str
) -> Iterator[Server]:
    """The command's server, once it listens on `port`; `variables` are added to its environment.

    Raises `DidNotStart`.
    """
    process = _start([str(part) for part in command], log, {**os.environ, **variables})
    try:
        _wait(name, process, port, log, starting_s)
        yield Server(name, port, log)
    finally:
        with process:
            kill_group(process)


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _start(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as written:
        return subprocess.Popen(
            [sys.executable, str(SUPERVISOR), *command],
            stdin=subprocess.PIPE,  # closed when this process is gone, however it ends
            stdout=written,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )


def _wait(name: str, process: subprocess.Popen[bytes], port: int, log: Path, starting_s: float) -> None:
    until_s = time.monotonic() + starting_s
    while not _listens(port):
        if process.poll() is not None:
            raise DidNotStart(f"{name} ended while starting: {how_it_ended(process, 0)}\n{_end(log)}")
        if time.monotonic() > until_s:
            raise DidNotStart(f"{name} did not listen on port {port} within {starting_s:g} s\n{_end(log)}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _end(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return "\n".join(lines[-LINES_SHOWN:])
