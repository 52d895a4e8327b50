"""Compressed contents of a report: the turns as `bench export` writes them, and details loaded on demand."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass

from firstpacket.bench.analysis.dataframe import turns_csv
from firstpacket.bench.errors import BenchError
from firstpacket.bench.record.store import Run


@dataclass(frozen=True, slots=True)
class Download:
    """The turns as CSV, gzipped, in base64; without it `problem` says why."""

    name: str
    content: str = ""
    rows: int = 0
    problem: str = ""


def turns_download(run: Run) -> Download:
    """The same bytes as `bench export RUN --format csv`, once they are unpacked."""
    name = f"{run.manifest.run}-turns.csv"
    if not run.turns:
        return Download(name, problem="There are no turns to download.")
    try:
        return Download(name, packed(turns_csv(run).encode("utf-8", "replace")), len(run.turns))
    except BenchError as error:
        return Download(name, problem=f"The turns cannot be offered for download: {error}")


def packed_json(values: Mapping[str, str]) -> str:
    """A JSON object, gzipped, in base64."""
    return packed(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def packed(content: bytes) -> str:
    """Gzipped, in base64; the same bytes for the same content."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
