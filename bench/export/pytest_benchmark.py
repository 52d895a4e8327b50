"""A run as pytest-benchmark (5.3) writes its own: a benchmark per label, a round per first packet, in seconds.

machine_info   as the plugin's, and gpu {name memory_mib driver}, of the run's first segment
benchmarks[]   of every label with an answered turn
  fullname     TEST[LABEL]: what the plugin compares by
  stats        of first_packet_latency over the answered measured turns, data in the order of the record
  extra_info   pipeline device dtype weights outcomes, percentiles_ms {METRIC: {p50 p50_low p50_high p90 ...}},
               path_ms {STAGE.KIND: mean}; what the turns cannot support is left out
"""

from __future__ import annotations

import json
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from firstpacket.bench.compare.comparable import require_valid
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import Figure, LabelSummary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.summary.values import definition, shown_value

TEST = "test_voice.py::test_first_packet_latency"
"""The test that replays stored runs in docs/exports.md; under its name stored runs can be compared with new ones."""
WRITTEN_AS = "5.3.1"
"""The version of pytest-benchmark whose format this is."""


def pytest_benchmark(run: Run, test: str = TEST) -> str:
    """The JSON; `test` is the node id of the test that it represents.

    Raises `InvalidRun` for a run that must not be compared, and `RunError` like `summarise`.
    """
    require_valid(run)
    times = first_packets_s(run)
    labels = [label for label in summarise(run).labels if label.label in times]
    said = {
        "machine_info": _machine(run),
        "commit_info": _commit(run),
        "benchmarks": [_benchmark(label, times[label.label], test) for label in labels],
        "datetime": run.manifest.created,
        "version": WRITTEN_AS,
    }
    return json.dumps(said, indent=4, allow_nan=False) + "\n"


def first_packets_s(run: Run) -> dict[str, list[float]]:
    """Per system with any: the first packets of its measured turns in recorded order, seconds."""
    known, found = definition(HEADLINE), {}
    for plan in run.manifest.labels:
        values = [shown_value(turn, known) for turn in run.measured(plan.label)]
        found[plan.label] = [value / 1000 for value in values if value is not None]
    return {label: times for label, times in found.items() if times}


def _benchmark(label: LabelSummary, times: Sequence[float], test: str) -> dict[str, Any]:
    name = test.rpartition("::")[2]
    return {
        "group": None,
        "name": f"{name}[{label.label}]",
        "fullname": f"{test}[{label.label}]",
        "params": {"label": label.label},
        "param": label.label,
        "extra_info": extra_info(label),
        "options": {
            "disable_gc": False,
            "timer": "firstpacket",
            "min_rounds": len(times),
            "max_time": 0.0,
            "min_time": 0.0,
            "precision": None,
            "confidence": None,
            "warmup": False,
        },
        "stats": {**stats(times), "data": list(times), "iterations": 1},
    }


def stats(times: Sequence[float]) -> dict[str, float | int | str]:
    """The plugin's statistics of at least one time, s."""
    data, total, mean = sorted(times), sum(times), statistics.mean(times)
    spread = statistics.stdev(times) if len(times) > 1 else 0.0
    q1, q3 = _quartiles(data)
    fence = 1.5 * (q3 - q1)
    far = sum(abs(time - mean) > spread for time in times)
    out = sum(not q1 - fence <= time <= q3 + fence for time in times)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": mean,
        "stddev": spread,
        "rounds": len(times),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": out,
        "stddev_outliers": far,
        "outliers": f"{far};{out}",
        "ld15iqr": data[bisect_left(data, q1 - fence)],
        "hd15iqr": data[bisect_right(data, q3 + fence) - 1],
        "ops": len(times) / total if total else 0,
        "total": total,
    }


def _quartiles(data: Sequence[float]) -> tuple[float, float]:
    """Medians of the lower and upper half of sorted data: mean of counting the middle value to both and to neither."""
    halves = {max(1, len(data) // 2), (len(data) + 1) // 2}
    lower = statistics.mean(statistics.median(data[:half]) for half in halves)
    return lower, statistics.mean(statistics.median(data[-half:]) for half in halves)


def extra_info(label: LabelSummary) -> dict[str, Any]:
    """Extra information of a system: percentiles, the critical path, outcomes."""
    return {
        "pipeline": label.pipeline,
        "device": label.device,
        "dtype": label.dtype,
        "weights": {weights.part: f"{weights.origin}: {weights.source}" for weights in label.weights},
        "outcomes": label.outcomes["measured"],
        "percentiles_ms": {name: _figure(each) for name, each in label.figures.items() if each.unit == "ms"},
        "path_ms": {f"{part.stage or 'none'}.{part.kind}": part.mean.value for part in label.path.parts},
    }


def _figure(figure: Figure) -> dict[str, float]:
    found = {name: each.value for name, each in figure.percentiles.items() if each.value is not None}
    if figure.p50 is None:
        return found
    interval = figure.p50.interval
    bounds = {"p50_low": interval.low, "p50_high": interval.high} if interval else {}
    return {"p50": figure.p50.value, **bounds, **found}


def _machine(run: Run) -> dict[str, Any]:
    known = run.segments[0].environment if run.segments else {}
    said: dict[str, Any] = {
        "node": "",
        "processor": "",
        "machine": "",
        "python_version": known.get("python"),
        "system": str(known.get("os") or "").partition("-")[0],
        "release": known.get("os"),
        "cpu": {"brand_raw": known.get("cpu"), "count": known.get("cores_usable")},
    }
    if found := gpu(run):
        said["gpu"] = found
    return said


def gpu(run: Run) -> dict[str, Any]:
    """The first GPU of the machine of the run; empty without one."""
    known = run.segments[0].environment if run.segments else {}
    names = {"name": "gpu0", "memory_mib": "gpu0_memory_mib", "driver": "gpu_driver"}
    return {name: known.get(fact) for name, fact in names.items()} if known.get("gpu0") else {}


def _commit(run: Run) -> dict[str, Any]:
    """Of the firstpacket checkout that was used for the run."""
    revision = str((run.segments[0].environment if run.segments else {}).get("git_revision") or "")
    return {
        "id": revision.removesuffix("+") or "unknown",
        "time": None,
        "author_time": None,
        "dirty": revision.endswith("+"),
        "project": "firstpacket",
        "branch": "unknown",
    }
