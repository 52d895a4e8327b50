"""`quality.jsonl`: tied to its turns, appended to, and always validated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command import here
from support.quality_runs import JUDGE, demo_clips, known_run, reply_of, write_lines

from firstpacket.bench.errors import RunError
from firstpacket.bench.quality.record import QUALITY, SCHEMA, HeardReply, Line, ReplySound, place, read_quality
from firstpacket.bench.quality.sound import Sound
from firstpacket.bench.quality.wer import VERSION
from firstpacket.bench.quality.writer import Notebook
from firstpacket.bench.record.store import Run, read_run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_run(tmp_path_factory.mktemp("quality") / "run", demo_clips(2))


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Run:
    return read_run(Path(shutil.copytree(original, tmp_path / "run")))


def heard(run: Run, turn: int = 0, **changes: Any) -> HeardReply:
    line = HeardReply(SCHEMA, "reply", reply_of(run.turns[turn]), JUDGE, "what time", 2, 4, VERSION)
    return replace(line, **changes)


def sounding(run: Run, **changes: Any) -> ReplySound:
    return ReplySound(
        SCHEMA,
        "sound",
        reply_of(run.turns[0]),
        Sound(16_000, 5, **{"clipped_share": 0.0, "offset": 0.0, "peak": 0.5} | changes),
        1,
    )


def test_lines_come_back_as_they_were_written(run: Run) -> None:
    lines: tuple[Line, ...] = (heard(run), sounding(run))
    write_lines(run.path, *lines)
    assert read_quality(run).lines == lines
    assert read_quality(run).notices == ()


def test_a_run_that_was_not_assessed_has_no_lines(run: Run) -> None:
    assert read_quality(run).lines == ()


def test_the_last_line_about_a_turn_counts(run: Run) -> None:
    other = replace(JUDGE, options={"asr-fast": True})
    lines = (heard(run), heard(run, judge=other), heard(run, edits=3))
    write_lines(run.path, *lines)
    assert read_quality(run).lines == (lines[1], lines[2])


@pytest.mark.parametrize(
    "changes",
    [
        {"turn": 77},
        {"label": "noise"},
        {"evidence_crc32": 1},
    ],
)
def test_lines_of_other_turns_are_not_used(run: Run, changes: dict[str, Any]) -> None:
    line = heard(run)
    write_lines(run.path, replace(line, reply=replace(line.reply, **changes)))
    found = read_quality(run)
    assert found.lines == ()
    assert "quality.jsonl: ignored 1 line of another run" in found.notices[0]


def test_figures_of_an_older_version_are_not_used(run: Run) -> None:
    write_lines(run.path, heard(run, normalisation=VERSION + 1), replace(sounding(run), version=99))
    assert read_quality(run).lines == ()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda line: line | {"edits": -1},
        lambda line: line | {"words": 0, "edits": 3, "transcript": ""},
        lambda line: line | {"edits": 1e999},
        lambda line: line | {"surprise": 1},
        lambda line: line | {"kind": "rumour"},
        lambda line: line | {"schema": SCHEMA + 1},
        lambda line: line | {"reply": {"turn": "first"}},
        lambda line: [line],
        lambda line: {},
    ],
)
def test_impossible_values_are_refused_with_a_remedy(run: Run, wrong: Any) -> None:
    write_lines(run.path, heard(run))
    line = json.loads((run.path / QUALITY).read_text())
    (run.path / QUALITY).write_text(json.dumps(wrong(line)) + "\n")
    with pytest.raises(RunError, match=r"quality\.jsonl"):
        read_quality(run)
    done = here("show", run.path)
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert "Remove" in done.stderr or "Upgrade" in done.stderr


@pytest.mark.parametrize("shares", [{"clipped_share": 1.5}, {"offset": 0.6}, {"peak": -1.0}])
def test_impossible_sound_is_refused(run: Run, shares: dict[str, float]) -> None:
    write_lines(run.path, sounding(run, **shares))
    with pytest.raises(RunError, match="nobody can have measured"):
        read_quality(run)


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"null\n", b"\n"])
def test_rubbish_is_refused(run: Run, rubbish: bytes) -> None:
    (run.path / QUALITY).write_bytes(rubbish)
    with pytest.raises(RunError, match="Remove"):
        read_quality(run)


def test_a_torn_line_is_set_aside_and_written_again(run: Run) -> None:
    write_lines(run.path, heard(run), heard(run, 1))
    whole = (run.path / QUALITY).read_bytes()
    (run.path / QUALITY).write_bytes(whole[:-20])
    assert [line.reply.turn for line in read_quality(run).lines if isinstance(line, HeardReply)] == [1]
    assert "torn" in read_quality(run).notices[0]
    second = heard(run, 1)
    with Notebook(run) as notebook:
        assert not notebook.is_due(place(heard(run)), "0" * 64)
        assert notebook.is_due(place(second), "0" * 64)
        notebook.write(second)
    assert (run.path / QUALITY).read_bytes() == whole


def test_a_changed_recording_is_assessed_again(run: Run) -> None:
    write_lines(run.path, heard(run))
    with Notebook(run) as notebook:
        assert notebook.is_due(place(heard(run)), "1" * 64)


def test_one_writer_at_a_time(run: Run) -> None:
    with Notebook(run), pytest.raises(RunError, match="another bench process"):
        Notebook(run)
    Notebook(run).__exit__()


def test_a_symbolic_link_is_not_followed(run: Run, tmp_path: Path) -> None:
    (run.path / QUALITY).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="link"):
        Notebook(run)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_whole_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Notebook(run) as notebook:
        notebook.write(heard(run))
        monkeypatch.setattr("firstpacket.bench.quality.writer.os.fsync", full)
        with pytest.raises(RunError, match="No space left"):
            notebook.write(heard(run, 1))
    assert len(read_quality(run).lines) == 1
    assert read_quality(run).notices == ()
