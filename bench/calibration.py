"""The harness's own error on this machine, as `bench calibrate` last measured it; saved in the user's cache folder.

Later runs on the same machine record it. Files are keyed by processor, cores, kernel and host name, since several
machines may share a cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import BenchError, explained
from firstpacket.bench.paths import CACHE, cache, replace_text

SCHEMA = 1
NEVER = "not calibrated: bench calibrate"
HEADLINE = "first packet"
"""The figure whose error later runs report."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Error of one figure over `n` turns, in ms; a percentile is None if `n` is too small for it."""

    figure: str
    n: int
    median_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """One result of `bench calibrate`."""

    schema: int
    bench: str
    wall_ns: int
    turns: int
    deviations: tuple[Deviation, ...]
    """Absolute errors, figure by figure."""
    event_cost_ns: int
    events: float
    """Recordings of the instrument in a turn, on average."""
    within_limits: bool

    def deviation(self, figure: str) -> Deviation | None:
        """The error of one figure, if it was measured."""
        return next((each for each in self.deviations if each.figure == figure), None)


def keep(found: Calibration, processor: str) -> Path:
    """Save a calibration for later runs on this machine. Raises `BenchError` if it cannot be written."""
    file = _file(processor)
    advice = f"Free some space there, or choose another folder with the environment variable {CACHE}."
    with explained(f"The calibration cannot be saved in {file.parent}", advice, BenchError):
        replace_text(file, json.dumps(encode(found), indent=1) + "\n")
    return file


def kept(processor: str) -> Calibration | None:
    """The last calibration of this machine; None if there is none that this version can read."""
    try:
        raw = json.loads(_file(processor).read_bytes())
        found = decode(Calibration, raw)
    except (OSError, ValueError, RecursionError, DecodeError):
        return None
    return found if found.schema == SCHEMA else None


def facts(processor: str) -> dict[str, int | float | bool | None]:
    """The last calibration for a run's record: its age in hours, its size, the error of the first packet."""
    found = kept(processor)
    headline = found.deviation(HEADLINE) if found else None
    if found is None or headline is None:
        return {}
    return {
        "calibration_age_h": round(max(0, time.time_ns() - found.wall_ns) / 3.6e12, 2),
        "calibration_turns": found.turns,
        "calibration_median_ms": headline.median_ms,
        "calibration_p99_ms": headline.p99_ms,
        "calibration_within_limits": found.within_limits,
    }


def ruler(environment: Mapping[str, object]) -> str:
    """The last calibration of a machine in words, from a segment's environment."""
    median, p99 = environment.get("calibration_median_ms"), environment.get("calibration_p99_ms")
    if not isinstance(median, float):
        return NEVER
    tail = f", p99 {p99:.2g} ms" if isinstance(p99, float) else ""
    size = f"{environment.get('calibration_turns')} turns, {environment.get('calibration_age_h')} h before"
    verdict = "" if environment.get("calibration_within_limits") else "; exceeds its limits"
    return f"first packet off by {median:.2g} ms in the median{tail} ({size}){verdict}"


def _file(processor: str) -> Path:
    machine = (processor, os.cpu_count(), platform.node(), platform.system(), platform.release(), platform.machine())
    return cache() / f"calibration-{hashlib.sha256(repr(machine).encode()).hexdigest()[:16]}.json"
