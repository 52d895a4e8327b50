"""Parquet files as Hugging Face's libraries write them, with the traps that are in them."""

from __future__ import annotations

import contextlib
import gc
import os
import random
from pathlib import Path
from typing import Any

import pytest
from support.data_sets import encoded, sound, tone, write_parquet

from firstpacket.bench.corpus.readers.parquet import READER
from firstpacket.bench.corpus.readers.row import NoSound, Row
from firstpacket.bench.errors import CorpusError

pytest.importorskip("pyarrow")


def rows(path: Path) -> list[Row]:
    return list(READER.rows(path))


def content(row: Row) -> bytes:
    assert callable(row.sound)
    return row.sound()


def test_texts_and_sound_of_every_row(tmp_path: Path) -> None:
    given = [{"audio": sound(number), "prompt": f"Question {number}?", "n": number} for number in range(7)]
    found = rows(write_parquet(tmp_path / "a.parquet", given, row_group=3))
    assert [row.text for row in found] == [f"Question {number}?" for number in range(7)]
    assert [content(row) for row in found] == [row["audio"]["bytes"] for row in given]
    assert [row.columns["n"] for row in found] == list(range(7)) and "audio" not in found[0].columns
    assert found[4].where == f"{tmp_path / 'a.parquet'}, row 4"


def test_texts_as_polars_writes_them(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {"audio": [sound(1)], "text": pyarrow.array(["Question?"], pyarrow.string_view())}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    assert [row.text for row in rows(tmp_path / "a.parquet")] == ["Question?"]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="is a pipe, socket or device, not a file"):
        rows(tmp_path / "a.parquet")


def test_sound_may_be_read_in_any_order(tmp_path: Path) -> None:
    given = [{"audio": sound(number)} for number in range(25)]
    found = rows(write_parquet(tmp_path / "a.parquet", given, row_group=20))
    for number in (24, 3, 3, 19, 20, 0, 12, 5):
        assert content(found[number]) == given[number]["audio"]["bytes"]


def test_one_file_is_open_at_a_time(tmp_path: Path) -> None:
    """A file that stays open holds on to a row group, and a data set has hundreds of files."""
    given = [[{"audio": sound(10 * file + number)} for number in range(3)] for file in range(4)]
    files = [write_parquet(tmp_path / f"{number}.parquet", each) for number, each in enumerate(given)]
    found = [row for file in files for row in rows(file)]
    wanted = [row["audio"]["bytes"] for each in given for row in each]
    assert [content(row) for row in found] == wanted
    assert [content(found[place]) for place in (9, 0, 9, 1)] == [wanted[place] for place in (9, 0, 9, 1)]
    gc.collect()
    held = [link for link in Path("/proc/self/fd").iterdir() if str(tmp_path) in str(link.resolve())]
    assert len(held) <= 1


def test_saved_from_local_files_it_has_paths_and_no_bytes(tmp_path: Path) -> None:
    """The path is another machine's: it is never opened, even if there is such a file here."""
    there = tmp_path / "there.wav"
    there.write_bytes(encoded(tone(1)))
    given = [{"audio": {"bytes": None, "path": str(there)}}, {"audio": {"bytes": encoded(tone(2)), "path": "b.wav"}}]
    without, with_bytes = rows(write_parquet(tmp_path / "a.parquet", given))
    with pytest.raises(NoSound, match=r"^null bytes, only a path$"):
        content(without)
    assert (without.id, with_bytes.id) == ("there", "b") and content(with_bytes)


def test_saved_from_bytes_it_has_no_paths(tmp_path: Path) -> None:
    found = rows(write_parquet(tmp_path / "a.parquet", [{"audio": sound(1)}, {"audio": None}]))
    assert [row.id for row in found] == ["", ""] and content(found[0])
    with pytest.raises(NoSound, match=r"^no sound$"):
        content(found[1])


def test_features_tell_sound_from_pictures(tmp_path: Path) -> None:
    """Both are structs of bytes and path; without features the column is taken by its form."""
    given = [{"picture": {"bytes": b"png", "path": None}, "speech": sound(1)}]
    features = {"picture": "Image", "speech": "Audio"}
    (row,) = rows(write_parquet(tmp_path / "a.parquet", given, features=features))
    assert content(row) == given[0]["speech"]["bytes"]
    with pytest.raises(CorpusError, match="several columns of sound: picture, speech"):
        rows(write_parquet(tmp_path / "b.parquet", given))


@pytest.mark.parametrize("text", ["{", "[]", '{"info": {"features": 7}}', '{"info": {"features": {"audio": 1}}}'])
def test_features_that_make_no_sense_are_passed_over(tmp_path: Path, text: str) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{"audio": sound(1)}]).replace_schema_metadata({"huggingface": text})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert content(rows(tmp_path / "a.parquet")[0])


def test_sound_typed_by_features_may_be_bytes_without_a_struct(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [{"speech": encoded(tone(1)), "text": "One."}]
    (row,) = rows(write_parquet(tmp_path / "a.parquet", given, features={"speech": "Audio"}))
    assert content(row) == given[0]["speech"] and row.text == "One."


def test_several_sounds_in_a_row_are_the_turns_of_a_dialogue(tmp_path: Path) -> None:
    """As VoiceBench's mtbench has them; the third turn is null in one row."""
    given = [
        {"question_id": 81, "turns": ["One?", "Two?"], "audio1": sound(1), "audio2": sound(2), "audio10": None},
        {"question_id": 82, "turns": ["A?", "B?", "C?"], "audio1": sound(3), "audio2": sound(4), "audio10": sound(5)},
    ]
    found = rows(write_parquet(tmp_path / "a.parquet", given))
    assert [(row.id, row.dialogue, row.turn, row.text) for row in found] == [
        ("81-0", "81", 0, "One?"),
        ("81-1", "81", 1, "Two?"),
        ("82-0", "82", 0, "A?"),
        ("82-1", "82", 1, "B?"),
        ("82-2", "82", 2, "C?"),
    ]
    assert content(found[4]) == given[1]["audio10"]["bytes"], "audio10 comes after audio2"
    assert content(found[1]) == given[0]["audio2"]["bytes"]


def test_turns_with_transcripts_of_their_own(tmp_path: Path) -> None:
    """A turn that is a struct of nulls, and has no transcript, is none."""
    empty = {"bytes": None, "path": None}
    given = [
        {
            "user_turn_1_audio": sound(1),
            "user_turn_1_transcript": "Hello.",
            "assistant_turn_1_transcript": "Hi.",
            "user_turn_2_audio": second,
            "user_turn_2_transcript": said,
        }
        for second, said in ((sound(2), "Bye."), (empty, None))
    ]
    found = rows(write_parquet(tmp_path / "a.parquet", given))
    assert [(row.dialogue, row.turn, row.text) for row in found] == [
        ("000000", 0, "Hello."),
        ("000000", 1, "Bye."),
        ("000001", 0, "Hello."),
    ]


def test_columns_that_are_no_text_are_not_read(tmp_path: Path) -> None:
    given = [{"audio": sound(1), "embedding": [0.5] * 3, "page": b"x", "words": ["a", "b"], "n": 1.5, "text": "Hi."}]
    (row,) = rows(write_parquet(tmp_path / "a.parquet", given))
    assert row.columns == {"words": ["a", "b"], "n": 1.5, "text": "Hi."}


def test_metadata_parquet_names_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / "metadata.parquet", [{"file_name": "sub\\a.wav", "text": "A."}])
    (row,) = rows(tmp_path / "metadata.parquet")
    assert (row.id, row.sound, row.text) == ("sub/a", tmp_path / "sub" / "a.wav", "A.")
    write_parquet(tmp_path / "metadata.parquet", [{"file_name": "../a.wav"}])
    with pytest.raises(CorpusError, match=r"row 0: .*is not inside"):
        rows(tmp_path / "metadata.parquet")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer.*git lfs pull"),
        (b"<html>", "is not a Parquet file, or is damaged"),
        (b"", "is not a Parquet file, or is damaged"),
    ],
)
def test_what_is_no_parquet_file_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        rows(tmp_path / "a.parquet")


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"audio": sound(number)} for number in range(4)])
    data = bytearray(path.read_bytes())
    data[100:8000] = bytes(7900)
    path.write_bytes(data)
    with pytest.raises(CorpusError, match="damaged"):
        [content(row) for row in rows(path)]


def test_damaged_bytes_give_rows_or_a_message(tmp_path: Path) -> None:
    """Above all in the footer, which pyarrow's C++ code reads."""
    path = write_parquet(tmp_path / "a.parquet", [{"id": str(number), "audio": sound(number)} for number in range(4)])
    good, chance = path.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(60):
        data = bytearray(good)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(len(data) - 1500, len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice([len(data), len(data), chance.randrange(len(data))])])
        try:
            for row in rows(path):
                with contextlib.suppress(NoSound):
                    content(row)
        except CorpusError:
            refused += 1
    assert 30 < refused < 60


def test_without_a_column_of_sound_its_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no column of sound. Its columns are question, answer"):
        rows(write_parquet(tmp_path / "a.parquet", [{"question": "A?", "answer": "B"}]))
