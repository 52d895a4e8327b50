"""One whole gate on a workload, as a subprocess, as a CI job runs it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from machine import LoadMeter, busy
from repository import ROOT, Repository, changed
from results import Gate, Result

PIPELINES = {"short": "short", "direct": "padded"}
"""By workload."""
COMMAND = (sys.executable, "-m", "firstpacket", "gate")
USAGE_ERROR = 2
GRACE_S = 30.0
"""Time for an interrupted gate to end its workers and to remove its worktree."""


def measure(folder: Path, arguments: Sequence[str], gate: Gate, command: Sequence[str] = COMMAND) -> Result:
    """Run a gate, which writes to a folder of its own in `folder`; `arguments` are added to its command line."""
    out = folder / "-".join(map(str, gate))
    log = out.with_suffix(".log")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)  # of one that was interrupted
    pipeline = PIPELINES[gate.workload]
    fixed = ("-p", pipeline, "--against", "HEAD", "--threads", "1", "--no-report", "--out", str(out))
    with changed(pipeline, gate.code) as repository, busy(gate.machine == "bursts", gate.number):
        meter, began_s = LoadMeter(), time.monotonic()
        exit_code = _run([*command, *fixed, *arguments], repository, log)
        minutes, load = (time.monotonic() - began_s) / 60, meter.load()
    if exit_code == USAGE_ERROR:
        sys.exit(f"The gate refuses its command line:\n{log.read_text('utf-8')}")
    return Result(
        *gate,
        exit_code,
        **verdict(out / "gate.json"),
        minutes=round(minutes, 3),
        **asdict(load),
        version=_version(),
        arguments=shlex.join(arguments),
    )


def verdict(file: Path) -> dict[str, Any]:
    """What a gate.json says: the verdict, and of its first change the ratio and from how much it was estimated."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {"verdict": "error", "estimate": None, "starts": None, "pairs": None}
    change = next((each["change"] for each in content.get("checks", ()) if each.get("change")), {})
    return {
        "verdict": content["verdict"],
        "estimate": (change.get("ratio") or {}).get("value"),
        "starts": change.get("starts"),
        "pairs": change.get("pairs"),
    }


def _run(command: Sequence[str], repository: Repository, log: Path) -> int:
    """The exit code; interrupted, it lets the gate end before it passes that on."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=repository.path,
            env=repository.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches it once, from here
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            raise
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its workers end with it
                process.wait()


@cache
def _version() -> str:
    """The revision of the checkout that is being checked."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
