"""Processes that outlive their worker: killing its process group does not reach those in sessions of their own.

A worker's environment has a mark, which all processes that it starts inherit, under any parent.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

MARK = "FIRSTPACKET_WORKER"
LEAVE_S = 0.5
"""Time for processes that are ending already."""
TERMINATE_S = 2.0
KILL_S = 1.0


def marked(environment: Mapping[str, str], worker: Path) -> dict[str, str]:
    """The environment of a worker that `worker` identifies: the path of its log, which no other worker has."""
    return {**environment, MARK: str(worker.resolve())}


def descendants(pid: int) -> list[psutil.Process]:
    """The processes below this one: also those that have removed the mark from their environment."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def end_leftovers(worker: Path, earlier: Iterable[psutil.Process] = ()) -> tuple[str, ...]:
    """End the processes that an ended worker has left running, `earlier` ones included.

    Returns their names, those that could not be ended marked as such.
    """
    found = {process.pid: process for process in [*earlier, *_with_mark(str(worker.resolve()))]}
    left = _running_after(LEAVE_S, found.values())
    names = {process.pid: _name(process) for process in left}
    for end, wait_s in ((psutil.Process.terminate, TERMINATE_S), (psutil.Process.kill, KILL_S)):
        for process in left:
            with contextlib.suppress(psutil.Error):
                end(process)
        left = _running_after(wait_s, left)
    still = {process.pid for process in left}
    return tuple(f"{name}, still running" if pid in still else name for pid, name in names.items())


def _with_mark(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                yield process


def _running_after(limit_s: float, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after `limit_s`; returns sooner if none does. A zombie has ended."""
    until_s = time.monotonic() + limit_s
    while (left := [each for each in processes if _runs(each)]) and time.monotonic() < until_s:
        time.sleep(0.01)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"
