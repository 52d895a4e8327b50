from __future__ import annotations

import io

import pytest
from support.virtual import virtual_run

from firstpacket.bench.analysis.dataframe import turns_csv, turns_frame, turns_parquet
from firstpacket.bench.record.store import Run, read_run


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    scripts = {"a": "hear; asr 40; tts 10; packet 200", "b": "hear; raise"}
    return read_run(virtual_run(tmp_path_factory.mktemp("runs") / "run", scripts))


def test_one_row_per_turn_with_figures_in_milliseconds(answered: Run) -> None:
    frame = turns_frame(answered)
    assert len(frame) == len(answered.turns)
    assert set(frame[frame.label == "a"].first_packet_latency_ms) == {50.0}
    assert set(frame[frame.label == "a"]["path.asr.host_ms"]) == {40.0}
    failed = frame[frame.label == "b"]
    assert set(failed.outcome) == {"failed"}
    assert failed.first_packet_latency_ms.isna().all()


def test_csv_and_parquet_have_the_same_content(answered: Run) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    read = pd.read_csv(io.StringIO(turns_csv(answered)), keep_default_na=True)
    stored = pd.read_parquet(io.BytesIO(turns_parquet(answered)))
    assert list(read.columns) == list(stored.columns)
    assert list(read.utterance) == list(stored.utterance) == [turn.utterance for turn in answered.turns]
    assert list(stored.first_packet_latency_ms.dropna()) == list(read.first_packet_latency_ms.dropna())
    assert stored.first_packet_latency_ms.isna().sum() == (stored.label == "b").sum()


def test_csv_escapes_formulas_and_parquet_keeps_the_text(hostile: Run) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    read = pd.read_csv(io.StringIO(turns_csv(hostile)))
    assert all(name.startswith("'=1+<script>") for name in read.utterance)
    assert list(pd.read_parquet(io.BytesIO(turns_parquet(hostile))).utterance) == [t.utterance for t in hostile.turns]
