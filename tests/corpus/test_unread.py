"""Recordings in a folder that are not read are named and counted, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.errors import CorpusError


def recording(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 9000 * np.sin(np.arange(8000) / 10) * (np.arange(8000) < 6000)
    wavfile.write(path, 16_000, tone.astype(np.int16))
    return path


def skipped(folder: Path) -> list[str]:
    return [notice for notice in load_corpus(str(folder)).notices if "skipped" in notice]


def test_files_in_other_forms_are_named_with_a_command(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    for name in ("b c.M4A", "d.webm", "e.aiff", "._b.m4a", "notes.txt", "cover.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (only,) = skipped(tmp_path)
    assert only.startswith("3 files were skipped: formats that are not read (b c.M4A, d.webm, e.aiff). Convert each")
    assert only.endswith(f"ffmpeg -i '{tmp_path}/b c.M4A' -vn '{tmp_path}/b c.flac'")


def test_subfolders_with_recordings_are_named(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    for name in ("day 2/deep/x.wav", "day 1/y.flac", "day 1/z.m4a"):
        recording(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("hello")
    (tmp_path / "day 1" / "around").symlink_to(tmp_path)
    (only,) = skipped(tmp_path)
    assert only.startswith("3 recordings in subfolders were skipped (day 1, day 2): only files directly in ")


def test_one_of_each_uses_the_singular(tmp_path: Path) -> None:
    for name in ("a.wav", "b.caf", "c/d.wav"):
        recording(tmp_path / name)
    first, second = skipped(tmp_path)
    assert first.startswith("1 file was skipped") and second.startswith("1 recording in subfolders was skipped (c)")


@pytest.mark.parametrize("name", ["b.m4a", "b.AMR", "sub/b.wav", "sub/b.opus"])
def test_a_folder_of_nothing_else_is_an_error_that_names_them(tmp_path: Path, name: str) -> None:
    recording(tmp_path / name)
    with pytest.raises(CorpusError, match=rf"contains no recordings that can be read\. 1 .*\({name.split('/')[0]}\)"):
        load_corpus(str(tmp_path))


def test_a_list_of_recordings_decides_alone(tmp_path: Path) -> None:
    recording(tmp_path / "sub" / "a.wav")
    (tmp_path / "b.m4a").write_bytes(b"x")
    (tmp_path / "manifest.jsonl").write_text('{"id": "a", "audio": "sub/a.wav"}\n')
    assert skipped(tmp_path) == []


def test_a_plain_folder_says_nothing(tmp_path: Path) -> None:
    for name in ("a.wav", "b.WAV", "c.wave"):
        recording(tmp_path / name)
    assert skipped(tmp_path) == [] and len(load_corpus(str(tmp_path)).utterances) == 3


def test_names_are_made_safe_and_few_are_shown(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    for number in range(7):
        (tmp_path / f"\x1b[31m{number}.m4a").write_bytes(b"")
    (only,) = skipped(tmp_path)
    assert (
        only.startswith("7 files were skipped") and "\x1b" not in only and only.count(".m4a,") == 5 and ", …)" in only
    )
