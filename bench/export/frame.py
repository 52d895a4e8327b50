"""A run as a table for pandas: one row per turn, whatever came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import MissingDependency, RunError
from bench.metrics.definitions import metric
from bench.record.schema import Turn
from bench.record.store import Run

if TYPE_CHECKING:
    import pandas as pd


def turns_frame(run: Run) -> pd.DataFrame:
    """One row per turn in the order of the record: what was asked, the outcome, and every figure.

    Times are milliseconds in columns that end in `_ms`; `path.STAGE.KIND_ms` are the parts of the critical path. A
    figure that a turn does not have is NaN. Raises `MissingDependency` without pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency(
            "Tables need pandas, which is not installed. Install it with: pip install pandas"
        ) from error
    return pd.DataFrame([_row(turn) for turn in run.turns])


def write_csv(run: Run, out: Path) -> Path:
    """Write `turns_frame` as CSV. Raises `RunError` if it cannot be written."""
    try:
        turns_frame(run).to_csv(out, index=False)
    except OSError as error:
        raise RunError(f"Cannot write {out}: {error.strerror}. Choose another file.") from error
    return out


def _row(turn: Turn) -> dict[str, Any]:
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
    }
    for name, value in turn.figures.items():
        in_time = metric(name).unit == "ns"
        row[f"{name}_ms" if in_time else name] = value / 1e6 if in_time else value
    for part in turn.path:
        row[f"path.{part.stage or 'none'}.{part.kind}_ms"] = part.ns / 1e6
    return row
