"""The formats of `bench export` by name. Each is a pure function from a run to text or bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firstpacket.bench.analysis.dataframe import turns_csv, turns_parquet
from firstpacket.bench.contract import written
from firstpacket.bench.errors import UnknownName
from firstpacket.bench.export.ci_services import bencher, github_action_benchmark
from firstpacket.bench.export.junit import junit
from firstpacket.bench.export.markdown import markdown
from firstpacket.bench.export.openmetrics import openmetrics
from firstpacket.bench.export.pytest_benchmark import pytest_benchmark
from firstpacket.bench.export.svg import svg
from firstpacket.bench.paths import write_file
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.summarise import summarise


def all_figures(run: Run) -> str:
    """What `bench show --json` prints."""
    return written("summary", summarise(run))


FORMATS: dict[str, Callable[[Run], str | bytes]] = {
    "csv": turns_csv,
    "parquet": turns_parquet,
    "json": all_figures,
    "markdown": markdown,
    "junit": junit,
    "pytest-benchmark": pytest_benchmark,
    "github-action-benchmark": github_action_benchmark,
    "bencher": bencher,
    "openmetrics": openmetrics,
    "svg": svg,
}


def exported(run: Run, form: str) -> str | bytes:
    """A run in a format. Raises `UnknownName` for an unknown format, else what the format's own function raises."""
    if form not in FORMATS:
        raise UnknownName("export format", form, FORMATS)
    return FORMATS[form](run)


def write_export(run: Run, form: str, out: Path) -> Path:
    """Write `exported` to a file, creating its folders. Raises what that raises, and `RunError` if writing fails."""
    return write_file(out, exported(run, form))
