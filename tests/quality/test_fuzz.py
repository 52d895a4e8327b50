"""Whatever is in `quality.jsonl`: a result or a clear error, never a traceback."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from support.quality_runs import JUDGE, demo_clips, known_run, reply_of, write_lines

from firstpacket.bench.contract import written
from firstpacket.bench.errors import BenchError
from firstpacket.bench.quality.record import QUALITY, SCHEMA, HeardReply, ReplySound, ScoredReply
from firstpacket.bench.quality.sound import Sound
from firstpacket.bench.record.store import read_run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.table import Table
from firstpacket.bench.tables.terminal import TerminalTable

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**62, 2**70, 1e300, -0.5, "", "\x1b[31m\u202e", "x" * 5000, [], {}, [[]], {"a": {}},
)  # fmt: skip


@pytest.fixture(scope="module")
def listened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = known_run(tmp_path_factory.mktemp("fuzz") / "run", demo_clips(2))
    for turn in read_run(path).turns:
        write_lines(
            path,
            HeardReply(SCHEMA, "reply", reply_of(turn), JUDGE, "what", 2, 4, 1),
            ReplySound(SCHEMA, "sound", reply_of(turn), Sound(16_000, 9, 0.0, 0.0, 0.5), 1),
            ScoredReply(SCHEMA, "score", reply_of(turn), JUDGE, 4.0, 1.0, 5.0),
        )
    return path


def printed(table: Table) -> str:
    """As a terminal without styles gets it."""
    console = Console(file=io.StringIO(), width=120)
    console.print(TerminalTable(table))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def read(path: Path) -> None:
    """All that is made of it; only a `BenchError` may come out."""
    try:
        summary = summarise(read_run(path))
        told = printed(quality_table(summary))
        written("summary", summary)
    except BenchError as error:
        assert str(error)
        return
    assert "\x1b" not in told


@settings(max_examples=150)
@given(data=st.data())
def test_a_planted_value_gives_no_traceback(
    listened: Path, tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    run = Path(
        shutil.copytree(listened, tmp_path_factory.mktemp("planted") / "run", ignore=shutil.ignore_patterns("audio"))
    )
    lines = [json.loads(line) for line in (run / QUALITY).read_text().splitlines()]
    inner = lines[data.draw(st.integers(0, len(lines) - 1))]
    while True:
        key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.booleans()):
            break
        inner = inner[key]
    inner[key] = data.draw(st.sampled_from(HOSTILE))
    (run / QUALITY).write_text("".join(json.dumps(line) + "\n" for line in lines))
    read(run)


@settings(max_examples=60)
@given(at=st.floats(0, 1), damage=st.binary(max_size=12), ends=st.booleans())
def test_damaged_bytes_give_no_traceback(
    listened: Path, tmp_path_factory: pytest.TempPathFactory, at: float, damage: bytes, ends: bool
) -> None:
    run = Path(
        shutil.copytree(listened, tmp_path_factory.mktemp("damaged") / "run", ignore=shutil.ignore_patterns("audio"))
    )
    content = (run / QUALITY).read_bytes()
    place = int(at * len(content))
    (run / QUALITY).write_bytes(content[:place] + damage + (b"" if ends else content[place + len(damage) :]))
    read(run)


def test_a_folder_in_its_place_is_an_error_for_people(listened: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(listened, tmp_path / "run"))
    (run / QUALITY).unlink()
    (run / QUALITY).mkdir()
    with pytest.raises(BenchError, match="Remove"):
        summarise(read_run(run))
