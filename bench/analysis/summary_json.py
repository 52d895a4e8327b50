"""A summary as plain JSON values: what `bench show --json` prints and CI reads.

A contract (`"schema": 1`, docs/json.md); times in ms, absent numbers null:

    schema kind run created input t0 seed time_unit notices
    corpus           name, sha256
    valid invalid_reasons   whether the figures may be believed, and why not
    microphone       limit_ms frames late_frames turns late_turns buckets[] {from to frames}; null with file input
    until            as firstpacket.bench.analysis.until_json lays down: how a run with --until ended, or null
    method           interpolation, interval {level, method, resamples, seed, needs_clips}, turns_needed {p90, p95, p99}
    labels.LABEL     pipeline kind device dtype asked audible_share flags {FLAG: n} continuity {C50 C100 C200: share}
      .instrument    event_cost_us recordings share largest_share: upper bound of its part in the first packet, or null
      .quality       as firstpacket.bench.analysis.quality_json lays down
      .warmth        as firstpacket.bench.analysis.warmth_json lays down: cold, warm and idle turns, drift, carry-over
      .gpu           turns problems {why: n} lost_launches busy unassigned stages {STAGE: {window busy share}}: of the
                     turns under the profiler, or null
      .weights[]     part origin source detail parameters
      .outcomes      {PHASE: {OUTCOME: n}}, every phase and outcome named
      .cold          load (one per segment), first_turn (first packet of the turns of phase cold)
      .metrics.NAME  title unit version n n_missing missing {OUTCOME: n} clips mean p50 p50_low p50_high p90 p95 p99;
                     of the moments of an answer also p50_all p90_all p95_all p99_all (number, null or "infinite")
      .path          n total total_low total_high parts[] {stage role kind mean mean_low mean_high}: means over the n
                     turns that have a path; parts add up
        .roles       {ROLE: {mean mean_low mean_high}}: the same by role; "" is what no stage accounts for
      .hidden        {STAGE: {mean mean_low mean_high}}: work before the first packet that was not on the path
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from firstpacket.bench.analysis.quality_json import quality_json
from firstpacket.bench.analysis.until_json import until_json
from firstpacket.bench.analysis.warmth_json import warmth_json
from firstpacket.bench.stats.bootstrap import LEVEL, MIN_CLUSTERS, RESAMPLES, SEED, Estimate
from firstpacket.bench.stats.quantiles import INTERPOLATION, values_needed
from firstpacket.bench.summary.contents import Figure, LabelSummary, Summary
from firstpacket.bench.summary.figures import PERCENTILES
from firstpacket.bench.summary.gpu import LabelGpu
from firstpacket.bench.summary.microphone import Microphone

SCHEMA = 1


def summary_json(summary: Summary) -> dict[str, Any]:
    """Plain JSON values, as this module's docstring lays down."""
    return {
        "schema": SCHEMA,
        "kind": "firstpacket.summary",
        "run": summary.run,
        "created": summary.created,
        "input": summary.input,
        "t0": summary.t0,
        "seed": summary.seed,
        "time_unit": "ms",
        "corpus": {"name": summary.corpus, "sha256": summary.corpus_sha256},
        "method": _method(),
        "notices": list(summary.notices),
        "valid": not summary.invalid,
        "invalid_reasons": list(summary.invalid),
        "microphone": _microphone_json(summary.microphone),
        "until": until_json(summary.until),
        "labels": {label.label: _label_json(label) for label in summary.labels},
    }


def _method() -> dict[str, Any]:
    return {
        "interpolation": INTERPOLATION,
        "interval": {
            "level": LEVEL,
            "method": "expanded percentile bootstrap over clips",
            "resamples": RESAMPLES,
            "seed": SEED,
            "needs_clips": MIN_CLUSTERS,
        },
        "turns_needed": {name: values_needed(q) for name, q in PERCENTILES.items()},
    }


def _microphone_json(heard: Microphone | None) -> dict[str, Any] | None:
    if heard is None:
        return None
    return {
        "limit_ms": heard.limit_ms,
        "frames": heard.frames,
        "late_frames": heard.late_frames,
        "turns": heard.turns,
        "late_turns": heard.late_turns,
        "buckets": [{"from": low, "to": high, "frames": frames} for low, high, frames in heard.buckets],
    }


def _label_json(label: LabelSummary) -> dict[str, Any]:
    return {
        "pipeline": label.pipeline,
        "kind": label.kind,
        "device": label.device,
        "dtype": label.dtype,
        "asked": label.asked,
        "audible_share": label.audible_share,
        "flags": label.flags,
        "instrument": asdict(label.tax) if label.tax else None,
        "continuity": label.continuity,
        "quality": quality_json(label.quality),
        "warmth": warmth_json(label.warmth),
        "gpu": _gpu_json(label.gpu) if label.gpu else None,
        "weights": [asdict(weights) for weights in label.weights],
        "outcomes": label.outcomes,
        "cold": {"load": list(label.cold.load_ms), "first_turn": list(label.cold.first_turn_ms)},
        "metrics": {name: _figure_json(figure) for name, figure in label.figures.items()},
        "path": {
            "n": label.path.n,
            **_mean_json(label.path.total, "total"),
            "parts": [
                {"stage": part.stage, "role": part.role, "kind": part.kind, **_mean_json(part.mean)}
                for part in label.path.parts
            ],
            "roles": {role: _mean_json(mean) for role, mean in label.path.roles.items()},
        },
        "hidden": {stage: _mean_json(mean) for stage, mean in label.hidden.items()},
    }


def _gpu_json(gpu: LabelGpu) -> dict[str, Any]:
    return {
        "turns": gpu.turns,
        "problems": gpu.problems,
        "lost_launches": gpu.lost_launches,
        "busy": gpu.busy_ms,
        "unassigned": gpu.unassigned_ms,
        "stages": {
            stage.stage: {"window": stage.window_ms, "busy": stage.busy_ms, "share": stage.share}
            for stage in gpu.stages
        },
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    interval = figure.p50.interval if figure.p50 else None
    return {
        "title": figure.title,
        "unit": figure.unit,
        "version": figure.version,
        "n": figure.n,
        "n_missing": figure.n_missing,
        "missing": figure.missing,
        "clips": figure.p50.clusters if figure.p50 else 0,
        "mean": figure.mean,
        "p50": figure.p50.value if figure.p50 else None,
        "p50_low": interval.low if interval else None,
        "p50_high": interval.high if interval else None,
        **{name: percentile.value for name, percentile in figure.percentiles.items()},
        **{f"{name}_all": _finite(percentile.value) for name, percentile in figure.counting_all.items()},
    }


def _mean_json(mean: Estimate | None, name: str = "mean") -> dict[str, float | None]:
    interval = mean.interval if mean else None
    return {
        name: mean.value if mean else None,
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
    }


def _finite(value: float | None) -> float | str | None:
    """JSON has no number for it."""
    return "infinite" if value == math.inf else value
