from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.virtual import virtual_run

from firstpacket.bench.errors import BenchError, RunError
from firstpacket.bench.record.schema import SCHEMA
from firstpacket.bench.record.store import RunWriter, read_manifest, read_run


def made_run(path: Path) -> Path:
    return virtual_run(path / "run", {"a": "hear; tts 5; packet 20", "b": "hear; tts 6; packet 20"})


def test_a_torn_last_line_is_set_aside(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    whole = len(read_run(path).turns)
    turns = path / "turns.jsonl"
    turns.write_bytes(turns.read_bytes()[:-20])
    assert len(read_run(path).turns) == whole - 1
    assert "incomplete" in read_run(path).notices[0]
    with RunWriter.resume(path):
        pass
    assert (path / "turns.jsonl.torn").stat().st_size > 0
    assert not read_run(path).notices


def test_a_run_in_use_is_refused(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    with RunWriter.resume(path), pytest.raises(RunError, match="in use"):
        RunWriter.resume(path)


def test_an_existing_folder_is_never_written_over(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    with pytest.raises(RunError, match="--resume"):
        RunWriter.create(path, read_manifest(path))


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    with pytest.raises(RunError, match=r"newer version \(schema 99"):
        read_run(path)


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        read_run(tmp_path)


def test_a_changed_trace_is_noticed(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    run = read_run(path)
    traces = path / "traces.jsonl"
    content = bytearray(traces.read_bytes())
    content[run.turns[1].evidence_at + 5] ^= 1
    traces.write_bytes(content)
    with pytest.raises(RunError, match="checksum"):
        run.evidence(run.turns[1])
    run.evidence(run.turns[0])


def test_a_full_disk_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left on device.*--resume"):
        made_run(tmp_path)
    monkeypatch.undo()
    found = read_run(tmp_path / "run")
    assert 1 <= len(found.turns) < 10
    assert not found.notices


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_folder_never_gives_anything_but_a_message(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = made_run(tmp_path_factory.mktemp("fuzz"))
    name = data.draw(st.sampled_from(["manifest.json", "segments.jsonl", "turns.jsonl", "traces.jsonl"]))
    content = bytearray((path / name).read_bytes())
    where = data.draw(st.integers(0, len(content) - 1))
    content[where : where + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    (path / name).write_bytes(content)
    try:
        run = read_run(path)
        for turn in run.turns:
            run.evidence(turn)
    except BenchError:
        pass


@pytest.mark.parametrize("name", ["turns.jsonl", "traces.jsonl"])
def test_a_missing_file_is_not_an_empty_run(tmp_path: Path, name: str) -> None:
    path = made_run(tmp_path)
    (path / name).unlink()
    with pytest.raises(RunError, match="is missing"):
        read_run(path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"label": "a"', '"label": "../../zz"', "invalid label"),
        ('"deadline": 5.0', '"deadline": 1' + "0" * 400, "too large"),
        ('"deadline": 5.0', '"deadline": NaN', "finite"),
        ('"seed": 0', '"seed": {}', "whole number"),
    ],
)
def test_a_hostile_manifest_is_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = made_run(tmp_path)
    manifest = path / "manifest.json"
    text = manifest.read_text()
    assert before in text
    manifest.write_text(text.replace(before, after))
    with pytest.raises(RunError, match=message):
        read_run(path)


def test_an_offset_beyond_the_file_is_damage(tmp_path: Path) -> None:
    path = made_run(tmp_path)
    turns = path / "turns.jsonl"
    turns.write_text(turns.read_text().replace('"evidence_at":0', '"evidence_at":999999999999', 1))
    run = read_run(path)
    with pytest.raises(RunError, match="damaged"):
        run.evidence(run.turns[0])
