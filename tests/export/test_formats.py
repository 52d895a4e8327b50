"""What holds for every export format of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import here
from support.runs import make_run, write_run

from firstpacket.bench.errors import InvalidRun, RunError, UnknownName
from firstpacket.bench.export.formats import FORMATS, exported, write_export
from firstpacket.bench.record.store import Run

COMPARED = {"pytest-benchmark", "github-action-benchmark", "bencher"}
"""Forms whose readers compare figures, and ask nothing else."""


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_run_gives_the_same_bytes(form: str, run: Run) -> None:
    pytest.importorskip("pyarrow")
    assert exported(run, form) == exported(run, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_without_any_turn_is_written_too(form: str) -> None:
    pytest.importorskip("pyarrow")
    assert exported(make_run({"a": []}), form) is not None


@pytest.mark.parametrize("form", FORMATS)
def test_an_invalid_run_is_marked_or_refused_in_every_format(form: str, invalid: Run) -> None:
    pytest.importorskip("pyarrow")
    if form in COMPARED:
        with pytest.raises(InvalidRun, match="the microphone was late"):
            exported(invalid, form)
        return
    said = exported(invalid, form)
    marks = {
        "csv": "late_microphone",
        "json": '"valid": false',
        "markdown": "This run is invalid: do not use its figures",
        "junit": 'name="valid">\n      <error message="the run is invalid: the microphone was late',
        "openmetrics": 'valid="false"',
        "svg": "This&#160;run&#160;is&#160;invalid",
    }
    assert isinstance(said, bytes) or marks[form] in said


def test_an_unknown_form_is_named(run: Run) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'junit'"):
        exported(run, "junt")


def test_a_file_that_cannot_be_written_is_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Cannot write"):
        write_export(run, "json", tmp_path / "file" / "turns.json")


def test_the_command_prints_text_and_writes_files(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_run({"a": [100.0, 200.0]}))
    printed = here("export", folder)
    assert printed.stdout.startswith("turn,segment,block,phase,label,")
    written = here("export", folder, "--format", "json", "--out", tmp_path / "made" / "run.json")
    assert written.returncode == 0, written.stderr
    told = json.loads((tmp_path / "made" / "run.json").read_text("utf-8"))
    assert told == json.loads(here("show", folder, "--json").stdout)


def test_a_binary_format_needs_a_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = write_run(tmp_path / "run", make_run({"a": [100.0]}))
    refused = here("export", folder, "--format", "parquet")
    assert refused.returncode == 2
    assert "pass the file to write with --out" in refused.stderr
    assert refused.stdout == ""
