"""DataFrames of runs. Column names end in their unit; every column has a fixed type, whatever its values are.

Columns that can lack a value have pandas' nullable types (`Int64`, `Float64`, `string`), where a missing one is `NA`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firstpacket.bench.errors import MissingDependency

if TYPE_CHECKING:
    import pandas as pd

    from firstpacket.bench.metrics.definitions import Metric
    from firstpacket.bench.record.schema import Turn
    from firstpacket.bench.record.store import Run
    from firstpacket.bench.stats.bootstrap import Estimate

UNITS = {"ns": "_ms", "dB": "_db", "per_s": "_per_s", "J": "_j", "ratio": "", "count": ""}
"""How the name of a metric's column ends; ratios and counts have no unit."""
NS_PER_MS = 1e6

TURNS = {
    "turn": "int64",
    "segment": "int64",
    "block": "int64",
    "phase": "string",
    "system": "string",
    "clip": "string",
    "outcome": "string",
    "reason": "string",
    "flags": "string",
}
"""Of `turns`, before a column per metric: `Int64` for counts, `Float64` for all others."""

STAGES = {
    "turn": "int64",
    "system": "string",
    "stage": "string",
    "kind": "string",
    "role": "string",
    "thread": "int64",
    "start_ms": "float64",
    "end_ms": "float64",
    "duration_ms": "float64",
    "first_output_ms": "Float64",
    "gpu_start_ms": "Float64",
    "gpu_end_ms": "Float64",
    "gpu_error_ms": "Float64",
}
PACKETS = {
    "turn": "int64",
    "system": "string",
    "packet": "int64",
    "at_ms": "float64",
    "audio_ms": "float64",
    "samples": "int64",
    "sample_rate_hz": "int64",
}
SUMMARY = {
    "system": "string",
    "metric": "string",
    "title": "string",
    "unit": "string",
    "n": "int64",
    "missing": "int64",
    "clips": "int64",
    "p50": "Float64",
    "low": "Float64",
    "high": "Float64",
    "mean": "Float64",
    "p90": "Float64",
    "p95": "Float64",
    "p99": "Float64",
}


def turns(run: Run) -> pd.DataFrame:
    """One row per turn of any phase and outcome, in the order of the record."""
    known = {name: _definition(name) for turn in run.turns for name in turn.figures}
    columns = {_column(metric): "Int64" if metric.unit == "count" else "Float64" for metric in known.values()}
    return frame((_turn_row(turn, known) for turn in run.turns), TURNS | columns)


def stages(run: Run) -> pd.DataFrame:
    """One row per span of a stage; times count from the turn's t0, so that work before it is negative."""
    return frame((row for turn in run.turns for row in _stage_rows(run, turn)), STAGES)


def packets(run: Run) -> pd.DataFrame:
    """One row per reply audio packet; `at_ms` counts from the turn's t0."""
    return frame((row for turn in run.turns for row in _packet_rows(run, turn)), PACKETS)


def summary(run: Run) -> pd.DataFrame:
    """One row per system and metric over the measured turns that were answered.

    `p50` with its 95 % confidence interval from `low` to `high`, in `unit`; a percentile that the turns cannot support
    is missing, and so is an interval on too few clips.
    """
    from firstpacket.bench.summary.summarise import summarise

    return frame((row for label in summarise(run).labels for row in _summary_rows(label)), SUMMARY)


def with_columns(frame: pd.DataFrame, values: Mapping[str, tuple[Any, str]]) -> pd.DataFrame:
    """The frame with the same value in every row of further columns, which come first: `{name: (value, dtype)}`."""
    pd = _pandas()
    for place, (name, (value, dtype)) in enumerate(values.items()):
        frame.insert(place, name, pd.Series([value] * len(frame), index=frame.index, dtype=dtype))
    return frame


def concatenated(frames: Iterable[pd.DataFrame], columns: Mapping[str, str]) -> pd.DataFrame:
    """The frames below each other; with none of them an empty one with these columns."""
    found = list(frames)
    return _pandas().concat(found, ignore_index=True) if found else frame((), columns)


def _turn_row(turn: Turn, known: Mapping[str, Metric]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "turn": turn.turn,
        "segment": turn.segment,
        "block": turn.block,
        "phase": turn.phase,
        "system": turn.label,
        "clip": turn.utterance,
        "outcome": turn.outcome,
        "reason": turn.reason,
        "flags": " ".join(turn.flags),
    }
    for name, value in turn.figures.items():
        row[_column(known[name])] = value / NS_PER_MS if known[name].unit == "ns" else value
    return row


def _stage_rows(run: Run, turn: Turn) -> Iterable[dict[str, Any]]:
    from firstpacket.bench.metrics.t0 import start_ns

    evidence = run.evidence(turn)
    t0_ns = start_ns(evidence)
    declared = {
        stage.id: stage for system in run.manifest.labels if system.label == turn.label for stage in system.stages
    }
    for span in evidence.trace.spans:
        stage = declared.get(span.stage)
        yield {
            "turn": turn.turn,
            "system": turn.label,
            "stage": span.stage,
            "kind": stage.kind if stage else None,
            "role": stage.role if stage else None,
            "thread": span.thread,
            "start_ms": _ms(span.start_ns, t0_ns),
            "end_ms": _ms(span.end_ns, t0_ns),
            "duration_ms": _ms(span.end_ns, span.start_ns),
            "first_output_ms": _ms(span.first_output_ns, t0_ns),
            "gpu_start_ms": _ms(span.gpu.start_ns, t0_ns) if span.gpu else None,
            "gpu_end_ms": _ms(span.gpu.end_ns, t0_ns) if span.gpu else None,
            "gpu_error_ms": _ms(span.gpu.error_ns, 0) if span.gpu else None,
        }


def _packet_rows(run: Run, turn: Turn) -> Iterable[dict[str, Any]]:
    from firstpacket.bench.metrics.t0 import start_ns

    evidence = run.evidence(turn)
    t0_ns = start_ns(evidence)
    for number, packet in enumerate(evidence.trace.packets):
        yield {
            "turn": turn.turn,
            "system": turn.label,
            "packet": number,
            "at_ms": _ms(packet.at_ns, t0_ns),
            "audio_ms": 1000 * packet.samples / packet.sample_rate,
            "samples": packet.samples,
            "sample_rate_hz": packet.sample_rate,
        }


def _summary_rows(label: Any) -> Iterable[dict[str, Any]]:
    for figure in label.figures.values():
        yield {
            "system": label.label,
            "metric": figure.metric,
            "title": figure.title,
            "unit": figure.unit,
            "n": figure.n,
            "missing": figure.n_missing,
            "clips": figure.p50.clusters if figure.p50 else 0,
            "mean": figure.mean,
            **estimate_columns(figure.p50, "p50"),
            **{name: quantile.value for name, quantile in figure.percentiles.items()},
        }


def estimate_columns(found: Estimate | None, name: str) -> dict[str, float | None]:
    """An estimate as the columns `name`, `low` and `high`; what there is not is missing."""
    interval = found.interval if found else None
    return {
        name: found.value if found else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def _definition(name: str) -> Metric:
    from firstpacket.bench.summary.values import definition

    return definition(name)


def _column(metric: Metric) -> str:
    return metric.name + UNITS[metric.unit]


def _ms(at_ns: int | None, since_ns: int) -> float | None:
    return None if at_ns is None else (at_ns - since_ns) / NS_PER_MS


def frame(rows: Iterable[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    pd = _pandas()
    found = list(rows)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in found], dtype=kind) for name, kind in types.items()})


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("DataFrames need pandas, which is not installed: pip install pandas") from error
    return pd
