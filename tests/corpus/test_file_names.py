"""Names of files as people have them: not UTF-8, with control characters, in a locale that knows only ASCII."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, here, write_clips

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.paths import file_named, name_as_text
from firstpacket.bench.record.store import read_run

ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def clip(folder: Path, name: bytes) -> None:
    made = write_clips(folder, 1) / "clip0.wav"
    try:
        made.rename(folder / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system takes no such name")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"caf\xe9.wav", r"caf\xe9"),
        ("grüße.wav".encode(), "grüße"),
        (b"two\nlines.wav", r"two\nlines"),
        (b"\x1b[31mred.wav", r"\x1b[31mred"),
        (b"a\xe2\x80\xa8b.wav", r"a\u2028b"),
    ],
)
def test_a_recording_of_any_name_is_read_and_has_an_id_that_can_be_printed(
    tmp_path: Path, name: bytes, expected: str
) -> None:
    clip(tmp_path, name)
    (one,) = load_corpus(str(tmp_path)).utterances
    assert one.id == expected
    checked = here("corpus", "check", tmp_path, "--json", "--no-fail")
    assert checked.returncode == 0, checked.stderr
    assert [each["id"] for each in json.loads(checked.stdout)["clips"]] == [expected]


def test_a_damaged_recording_of_such_a_name_is_named(tmp_path: Path) -> None:
    clip(tmp_path, b"caf\xe9\x1b[31m.wav")
    for file in tmp_path.iterdir():
        file.write_bytes(b"nothing")
    done = here("run", "-p", "scripted", "--corpus", tmp_path)
    assert done.returncode == 3
    assert r"caf\xe9" in done.stderr and "\x1b" not in done.stderr


def test_in_a_locale_that_knows_only_ascii(tmp_path: Path) -> None:
    """May take over 5 s: a whole run, as the locale is a matter of the whole process.

    The folder, its manifest, the texts and the run's own folder have names that such a locale cannot spell.
    """
    folder = tmp_path / "grüße"
    clip(folder, "ä.wav".encode())
    line = {"id": "ä", "audio": "ä.wav", "text": "Wo ist ‚Köln‘?", "speech_end_ms": 100}
    (folder / "manifest.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    words = ("run", "-p", "scripted", "--corpus", "grüße", "--turns", "1", "--warmup", "0", "--out", "läuft")
    command = [sys.executable, "-m", "firstpacket", *words]
    environment = {**os.environ, **ASCII, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    run = read_run(tmp_path / "läuft")
    assert (run.manifest.corpus, run.manifest.corpus_source) == ("grüße", str(folder))
    assert run.manifest.utterances[0].text == line["text"]
    (turn,) = run.measured()
    assert (tmp_path / "läuft" / run.evidence(turn).audio).is_file()
    assert "no audio" not in (tmp_path / "läuft" / "report.html").read_text(encoding="utf-8")


def test_text_and_names() -> None:
    for name in ("plain", "grüße 你好", "-"):
        assert name_as_text(name) == name
        assert file_named(Path("x"), name) == Path("x") / name
    assert name_as_text(os.fsdecode(b"x\xff")) == r"x\xff"
    assert name_as_text("\ud800").isascii()
