"""The limits of a gate, from `bench.toml`:

    [gate]
    resolution = "4%"              # a slowdown of this much must be ruled out, or the gate is inconclusive
    max-minutes = 10               # if nothing can be decided by then, the gate is inconclusive
    allow = ["no-baseline"]        # verdicts that pass with a notice

    [[gate.limit]]
    metric = "first_packet_latency"
    max-regression = "0%"          # a slowdown by more than this, beyond the noise, is a regression
    floor-ms = 5                   # a smaller change never is

    [[gate.limit]]
    metric = "first_packet_latency"
    statistic = "p95"
    ceiling-ms = 800
    label = "direct"               # default: every label

Without a file, or without limits in it, the first packet of no label may become slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.config import read_toml
from firstpacket.bench.contract import computed
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.metrics.definitions import HEADLINE, TURN_METRICS, metric
from firstpacket.bench.options import share

Statistic = Literal["typical", "p50", "p90", "p95", "p99"]
"""`typical` is the shift of the whole distribution, from pairs; the others are quantiles of the candidate's turns."""
Allowance = Literal["inconclusive", "no-baseline"]

DROPPED_ANSWERS = "answers"
"""In place of a metric: whether the candidate still answers. Always checked."""

FILE = Path("bench.toml")
Kind = TypeVar("Kind")

MINUTES = (0.01, 1440.0)
"""Least and most of `max-minutes`."""
REPLACED = {"pairs": "max-minutes (a gate now measures until it can decide, at most so many minutes)"}
"""Keys of earlier versions, and what to write instead."""

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: on a change against the baseline, or a ceiling that needs none."""

    metric: str = HEADLINE
    statistic: Statistic = "typical"
    label: str = ""
    """Label it applies to; every one, if empty."""
    max_regression: float = 0.0
    """Largest acceptable increase, as a share."""
    floor_ms: float = 0.0
    """Smaller changes are ignored."""
    ceiling_ms: float | None = None

    @computed
    def name(self) -> str:
        """The limit in a few words."""
        if self.metric == DROPPED_ANSWERS:
            return "no answers dropped"
        if self.ceiling_ms is not None:
            return f"{self.statistic} of {self.metric} at most {self.ceiling_ms:g} ms"
        allowed = f" by more than {100 * self.max_regression:g} %" if self.max_regression else ""
        return f"{self.metric} not slower{allowed}"


@dataclass(frozen=True, slots=True)
class Limits:
    """All settings of a gate."""

    limits: tuple[Limit, ...] = (Limit(),)
    resolution: float = 0.04
    max_minutes: float = 10.0
    """Time for measuring."""
    allow: tuple[Allowance, ...] = ()


def read_limits(path: Path | None) -> Limits:
    """The limits in a file, or in `bench.toml` of the current folder if `path` is None. Raises `UsageError`."""
    if path is None and not FILE.exists():
        return Limits()
    path = path or FILE
    content = read_toml(path, "the limits in")
    gate = content.get("gate", {})
    if not isinstance(gate, dict):
        raise UsageError(f"{path}: write [gate] as a table.")
    return limits(gate, str(path))


def limits(table: Mapping[str, Any], where: str) -> Limits:
    """Limits from the table `[gate]`. Raises `UsageError`, which mentions `where`."""
    values = _named(table, {field.name for field in fields(Limits)} - {"limits"} | {"limit"}, where)
    wanted = values.pop("limit", [])
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise UsageError(f"{where}: write each limit as a table [[gate.limit]].")
    each = tuple(_limit(found, f"{where}, limit {position}") for position, found in enumerate(wanted, 1))
    values |= {"resolution": share(values["resolution"], f"{where}: resolution")} if "resolution" in values else {}
    found = replace(_decoded(Limits, values, where), limits=each or (Limit(),))
    low, high = MINUTES
    if not low <= found.max_minutes <= high:
        raise UsageError(f"{where}: max-minutes is {found.max_minutes:g}; it must be between {low:g} and {high:g}.")
    return found


def _limit(table: Mapping[str, Any], where: str) -> Limit:
    values = _named(table, {field.name for field in fields(Limit)}, where)
    if "max_regression" in values:
        values["max_regression"] = share(values["max_regression"], f"{where}: max-regression")
    found = _decoded(Limit, values, where)
    try:
        metric(found.metric)
    except KeyError:
        known = [known.name for known in TURN_METRICS]
        raise UnknownName("metric", found.metric, known, f"Of a stage: stage.STAGE.host. ({where})") from None
    if found.floor_ms < 0 or (found.ceiling_ms is not None and found.ceiling_ms <= 0):
        raise UsageError(f"{where}: floor-ms and ceiling-ms must be positive.")
    if (found.ceiling_ms is None) != (found.statistic == "typical"):
        raise UsageError(
            f"{where}: ceiling-ms needs a statistic ({', '.join(QUANTILES)}), and a limit on a change takes none: "
            "changes are judged pair by pair."
        )
    return found


def _named(table: Mapping[str, Any], known: set[str], where: str) -> dict[str, Any]:
    """The table with Python names as keys. Raises `UsageError` for an unknown key."""
    values = {key.replace("-", "_"): value for key, value in table.items()}
    for key in values:
        if key in REPLACED:
            raise UsageError(f"{where}: {key} no longer exists; use {REPLACED[key]}.")
        if key not in known:
            raise UnknownName("option", key.replace("_", "-"), (name.replace("_", "-") for name in known), f"({where})")
    return values


def _decoded(kind: type[Kind], values: Mapping[str, Any], where: str) -> Kind:
    try:
        return decode(kind, dict(values), where)
    except DecodeError as error:
        raise UsageError(f"{error}.") from error
