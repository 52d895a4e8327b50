"""Data sets as their sources lay them out, small: Parquet files and audiofolders of short sounds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16_000


def tone(number: int, seconds: float = 0.3) -> npt.NDArray[np.int16]:
    """A sound of its own for every number, 16 bit."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(8000 * np.sin(2 * np.pi * (200 + 10 * number) * time), np.int16)


def encoded(samples: npt.NDArray[Any], form: str = "WAV", rate: int = RATE, subtype: str | None = None) -> bytes:
    """The content of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def sound(number: int, **how: Any) -> dict[str, Any]:
    """A sound as a row of a Parquet file has it."""
    return {"bytes": encoded(tone(number), **how), "path": None}


def write_parquet(
    path: Path, rows: Sequence[Mapping[str, Any]], row_group: int = 2, features: Mapping[str, str] | None = None
) -> Path:
    """A Parquet file; `features` are the types that the hub's library writes into the schema."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([dict(row) for row in rows])
    if features is not None:
        info = {"info": {"features": {name: {"_type": kind} for name, kind in features.items()}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=row_group)
    return path


def voicebench(folder: Path, subset: str, rows: Iterable[Mapping[str, Any]], split: str = "test") -> Path:
    """A subset of VoiceBench as `hf download --local-dir` leaves it; returns the data set's folder."""
    features = {"audio": "Audio", "prompt": "Value", "reference": "Value"}
    write_parquet(folder / subset / f"{split}-00000-of-00001.parquet", list(rows), features=features)
    return folder


def big_bench_audio(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Big Bench Audio: MP3 files and a metadata.jsonl."""
    (folder / "data").mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows):
        name = f"data/question_{number}.mp3"
        (folder / name).write_bytes(encoded(tone(number, 1.0), "MP3"))
        lines.append(json.dumps({"file_name": name, "id": number, **row}) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines))
    return folder
