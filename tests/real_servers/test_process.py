"""Servers start, say why they did not, and are gone afterwards, whatever becomes of who started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from real_servers.process import HOST, DidNotStart, free_port, started

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import socket, subprocess, sys
print("about to listen", flush=True)
helper = subprocess.Popen(["sleep", "60"])
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        line = server.accept()[0]
        line.sendall(str(helper.pid).encode())
        line.close()
"""
TEST_RUN = f"""
import sys
from pathlib import Path
from real_servers.process import started
port = int(sys.argv[1])
with started("a server", [sys.executable, "-c", {SERVER!r}, str(port)], port, Path(sys.argv[2]), 30):
    print("started", flush=True)
    input()
"""


def helper_of(port: int) -> int:
    with socket.create_connection((HOST, port)) as line, line.makefile() as read:
        return int(read.read())


def test_it_runs_as_long_as_it_is_entered_and_takes_its_helpers_along(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with started("a server", command, port, tmp_path / "log", 30) as server:
        helper = psutil.Process(helper_of(port))
        assert server.end_of_log() == "about to listen"
    psutil.wait_procs([helper], timeout=10)
    assert not helper.is_running()
    with pytest.raises(ConnectionRefusedError):
        helper_of(port)


def test_one_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no model')"]
    with (
        pytest.raises(DidNotStart, match=r"^a server ended while starting: exit code 1\nno model$"),
        started("a server", command, free_port(), tmp_path / "log", 30),
    ):
        raise AssertionError("it did not start")


def test_one_that_does_not_listen_in_time_is_reported_and_ended(tmp_path: Path) -> None:
    port, command = free_port(), [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(DidNotStart, match=f"^a server did not listen on port {port} within 0.5 s"),
        started("a server", command, port, tmp_path / "log", 0.5),
    ):
        raise AssertionError("it did not start")
    assert command not in [child.cmdline() for child in psutil.Process().children(recursive=True)]


def test_it_dies_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    run = subprocess.Popen(
        [sys.executable, "-c", TEST_RUN, str(port), str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])},
    )
    with run:
        assert run.stdout is not None and run.stdout.readline() == b"started\n"
        processes = psutil.Process(run.pid).children(recursive=True)
        assert psutil.Process(helper_of(port)) in processes
        run.send_signal(signal.SIGKILL)
    assert psutil.wait_procs(processes, timeout=10)[1] == []
