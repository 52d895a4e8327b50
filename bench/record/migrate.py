"""Run folders of older schemas, read as if they had been written today; what is on disk stays as it is.

Each step turns the JSON of one schema into the next one's, file by file of the run folder. Figures are never touched:
tests/record/test_migrate.py holds runs of every older schema to the figures that the version which wrote them printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.record.schema import SCHEMA

Raw = dict[str, Any]
"""A JSON object as it stands in a file. A step may change it in place."""
OLDEST = 1


def _same(raw: Raw) -> Raw:
    return raw


@dataclass(frozen=True, slots=True)
class Step:
    """From one schema to the next: what changes in each file. Damaged values are passed on for the decoder to name."""

    manifest: Callable[[Raw], Raw] = _same
    segment: Callable[[Raw], Raw] = _same
    turn: Callable[[Raw], Raw] = _same
    evidence: Callable[[Raw], Raw] = _same


def _manifest_1(raw: Raw) -> Raw:
    return {**raw, "schema": 2}


STEPS: dict[int, Step] = {1: Step(manifest=_manifest_1)}
"""By the schema that a step starts from; every schema from `OLDEST` to the last one before this version's has one."""


def manifest(raw: Raw, schema: int) -> Raw:
    """A manifest of an older schema as this version writes it."""
    return _through(raw, schema, "manifest")


def segment(raw: Raw, schema: int) -> Raw:
    """A line of segments.jsonl of an older schema as this version writes it."""
    return _through(raw, schema, "segment")


def turn(raw: Raw, schema: int) -> Raw:
    """A line of turns.jsonl of an older schema as this version writes it."""
    return _through(raw, schema, "turn")


def evidence(raw: Raw, schema: int) -> Raw:
    """A line of traces.jsonl of an older schema as this version writes it."""
    return _through(raw, schema, "evidence")


def _through(raw: Raw, schema: int, file: str) -> Raw:
    if isinstance(raw, dict):
        for older in range(schema, SCHEMA):
            raw = getattr(STEPS[older], file)(raw)
    return raw
