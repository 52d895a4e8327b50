"""A run as a table for pandas, CSV and Parquet: one row per turn, whatever its outcome."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.values import definition
from firstpacket.bench.timing.clock import NS_PER_MS

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets treat as the start of a formula."""
TEXTS = ("utterance", "reason", "licence")
"""Columns with text from outside."""


def turns_frame(run: Run) -> pd.DataFrame:
    """One row per turn in the order of the record: clip, outcome, and every figure.

    Times are milliseconds in columns that end in `_ms`; `path.STAGE.KIND_ms` are the parts of the critical path. A
    figure that a turn does not have is NaN. Raises `MissingDependency` without pandas, `RunError` for a figure that has
    no definition.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency(
            "Tables need pandas, which is not installed. Install it with: pip install pandas"
        ) from error
    licences = {clip.id: clip.licence for clip in run.manifest.utterances}
    return pd.DataFrame([_row(turn, licences.get(turn.utterance, "")) for turn in run.turns])


def turns_csv(run: Run) -> str:
    """`turns_frame` as CSV. Text that a spreadsheet would treat as a formula is prefixed with an apostrophe."""
    frame = turns_frame(run)
    for column in (name for name in TEXTS if name in frame):
        frame[column] = [f"'{text}" if text.startswith(FORMULA) else text for text in frame[column]]
    return str(frame.to_csv(index=False, lineterminator="\n"))


def turns_parquet(run: Run) -> bytes:
    """`turns_frame` as Parquet. Raises `MissingDependency` without pandas or pyarrow."""
    frame, written = turns_frame(run), io.BytesIO()
    try:
        frame.to_parquet(written, engine="pyarrow", index=False)
    except ImportError as error:
        raise MissingDependency(
            f"Parquet needs pyarrow, which is not installed. Install it with: {install_command('parquet')}"
        ) from error
    return written.getvalue()


def _row(turn: Turn, licence: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "turn": turn.turn,
        "segment": turn.segment,
        "block": turn.block,
        "phase": turn.phase,
        "label": turn.label,
        "utterance": turn.utterance,
        "outcome": turn.outcome,
        "flags": " ".join(turn.flags),
        "reason": turn.reason,
        "licence": licence,
    }
    for name, value in turn.figures.items():
        in_time = definition(name).unit == "ns"
        row[f"{name}_ms" if in_time else name] = value / NS_PER_MS if in_time else value
    for part in turn.path:
        row[f"path.{part.stage or 'none'}.{part.kind}_ms"] = part.ns / NS_PER_MS
    return row
