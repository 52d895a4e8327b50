from __future__ import annotations

import csv
from pathlib import Path

from made import virtual_run

from bench.export.frame import turns_frame, write_csv
from bench.record.store import read_run


def test_one_row_per_turn_with_figures_in_milliseconds(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; asr 40; tts 10; packet 200", "b": "hear; raise"}))
    frame = turns_frame(run)
    assert len(frame) == len(run.turns)
    assert set(frame[frame.label == "a"].first_packet_latency_ms) == {50.0}
    assert set(frame[frame.label == "a"]["path.asr.host_ms"]) == {40.0}
    failed = frame[frame.label == "b"]
    assert set(failed.outcome) == {"failed"}
    assert failed.first_packet_latency_ms.isna().all()


def test_csv_holds_the_same(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 10; packet 200"}))
    with write_csv(run, tmp_path / "turns.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["utterance"] for row in rows] == [turn.utterance for turn in run.turns]
    assert float(rows[0]["first_packet_latency_ms"]) == 10.0
