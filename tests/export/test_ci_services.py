"""What two services for continuous benchmarking read, by the facts that they publish of their formats."""

from __future__ import annotations

import json

import pytest

from firstpacket.bench.export.ci_services import bencher, github_action_benchmark
from firstpacket.bench.record.store import Run

jsonschema = pytest.importorskip("jsonschema")

CUSTOM_SMALLER_IS_BETTER = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "unit": {"type": "string"},
            "value": {"type": "number"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
    },
}
BENCHER_METRIC_FORMAT = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": {
            "type": "object",
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_github_action_benchmark_reads_it(which: str, request: pytest.FixtureRequest) -> None:
    jsonschema.validate(json.loads(github_action_benchmark(request.getfixturevalue(which))), CUSTOM_SMALLER_IS_BETTER)


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_bencher_reads_it(which: str, request: pytest.FixtureRequest) -> None:
    jsonschema.validate(json.loads(bencher(request.getfixturevalue(which))), BENCHER_METRIC_FORMAT)


def test_entries_are_milliseconds_of_what_the_turns_support(run: Run) -> None:
    entries = {entry["name"]: entry for entry in json.loads(github_action_benchmark(run))}
    quick = entries["quick: first_packet_latency p50"]
    assert (quick["value"], quick["unit"]) == (131.5, "ms")
    low, high = (float(bound) for bound in quick["range"].split(" (")[0].split(" to "))
    assert low < 131.5 < high
    assert entries["quick: first_packet_latency p90"]["value"] == pytest.approx(156.7)
    assert "quick: first_packet_latency p95" not in entries  # 64 turns do not carry one
    assert "slow: first_packet_latency p90" not in entries
    assert "range" not in entries["slow: first_packet_latency p50"]  # two clips carry no interval
    assert not [name for name in entries if name.startswith("never")]


def test_bounds_are_the_interval_of_the_median(run: Run) -> None:
    found = json.loads(bencher(run))
    assert set(found) == {"quick", "slow"}
    median = found["quick"]["first_packet_latency_p50_ms"]
    assert median["lower_value"] < median["value"] == 131.5 < median["upper_value"]
    assert set(found["slow"]["first_packet_latency_p50_ms"]) == {"value"}
    assert "first_packet_latency_p95_ms" not in found["quick"]
