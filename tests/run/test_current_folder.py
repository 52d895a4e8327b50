"""Files in the current folder hide no library from us, whatever they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, THIRD_PARTY
from support.virtual import make_scripted

from firstpacket.bench.record.schema import System
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.worker_environment import worker_environment

NAMES = ("bench", "json", "numpy", "queue", "random", "soundfile", "statistics")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules that fail when they are imported, and a folder that would pass for PyTorch."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} of the current folder')\n")
    (tmp_path / "torch").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(system: System, folder: Path) -> None:
    """Start a worker in the current folder. Raises if it cannot load the system."""
    worker = ProcessExecutor(system, folder / "worker.log", worker_environment(1))
    try:
        worker.start()
    finally:
        worker.stop()


def test_a_worker(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("types", "typing"):
        (here / f"{name}.py").write_text("raise ImportError\n")
    load(make_scripted("a", "hear; packet 50"), here)


def test_a_worker_that_loads_a_plugin_through_pythonpath(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(THIRD_PARTY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((".", str(ROOT))))
    load(System("echo", "echo", "cpu", "float32", {}, ()), tmp_path)


@pytest.mark.usefixtures("here")
def test_the_command_line_with_m() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "firstpacket", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0 and "small-world" in done.stdout, done.stderr


def test_a_checkout_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python finds this code in the current folder only: workers must find the same."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.chdir(ROOT)
    assert worker_environment(1)["PYTHONPATH"].split(os.pathsep) == ["/elsewhere", str(ROOT)]
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    assert worker_environment(1)["PYTHONPATH"] == "/elsewhere"
    (tmp_path / "gone").rmdir()
    assert worker_environment(1)["PYTHONPATH"] == "/elsewhere"
