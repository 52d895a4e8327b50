"""metadata.csv and metadata.jsonl of an audiofolder: which recordings they name, and what is said in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firstpacket.bench.corpus.readers.audiofolder import READER
from firstpacket.bench.errors import CorpusError


def read(folder: Path, content: str, name: str = "metadata.csv") -> list[tuple[str, Any, str | None]]:
    (folder / name).write_bytes(content.encode())
    (path,) = READER.find(folder)
    return [(row.id, row.sound, row.text) for row in READER.rows(path)]


def test_csv(tmp_path: Path) -> None:
    content = '\ufefffile_name,transcription\r\nb.flac,"Hello, you."\r\n\r\nsub/a.wav,"Two\nlines, ""quoted"""\r\n'
    assert read(tmp_path, content) == [
        ("b", tmp_path / "b.flac", "Hello, you."),
        ("sub/a", tmp_path / "sub" / "a.wav", 'Two\nlines, "quoted"'),
    ]


def test_jsonl_with_ids_and_other_columns(tmp_path: Path) -> None:
    line = {"id": 7, "file_name": "data/question_0.mp3", "category": "navigate", "official_answer": "Yes"}
    assert read(tmp_path, json.dumps(line) + "\n", "metadata.jsonl") == [("7", tmp_path / line["file_name"], None)]
    (row,) = READER.rows(tmp_path / "metadata.jsonl")
    assert row.columns == line and row.where == f"{tmp_path / 'metadata.jsonl'}:1"


@pytest.mark.parametrize(
    ("header", "text"),
    [("transcription", "t0"), ("sentence", "t0"), ("speaker", None), ("text,sentence", None)],
    ids=["one", "another name", "none", "several"],
)
def test_a_text_only_where_one_column_can_be_it(tmp_path: Path, header: str, text: str | None) -> None:
    cells = ",".join(f"t{number}" for number in range(header.count(",") + 1))
    assert read(tmp_path, f"file_name,{header}\na.wav,{cells}\n") == [("a", tmp_path / "a.wav", text)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.csv", "file,text\na.wav,x\n", r"metadata\.csv: its first line names no column 'file_name'"),
        ("metadata.csv", "file_name;text\na.wav;x\n", "names no column 'file_name'"),
        ("metadata.csv", "", "names no column 'file_name'"),
        ("metadata.csv", "file_name,text\na.wav,Hello, you\n", r"csv:2: has another number of cells"),
        ("metadata.csv", "file_name,text\na.wav\n", r"csv:2: has another number of cells"),
        ("metadata.csv", "file_name,text\n,x\n", r"csv:2: no file_name"),
        (
            "metadata.csv",
            'file_name,text\na.wav,"x\n',
            r"csv: is not valid CSV after line 1 \(unexpected end of data\)",
        ),
        ("metadata.csv", "file_name,text\n../a.wav,x\n", r"csv:2: audio path '\.\./a\.wav' is not inside"),
        ("metadata.jsonl", "[1]\n", r"jsonl:1: is not an object"),
        ("metadata.jsonl", '\n{"file_name": 3}\n', r"jsonl:2: no file_name"),
        ("metadata.jsonl", "{", r"jsonl:1: is not valid JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, content, name)


def test_a_folder_without_metadata_has_another_form(tmp_path: Path) -> None:
    assert READER.find(tmp_path) == ()
