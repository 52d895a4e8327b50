"""Other tools' lists of recordings: used where that is unambiguous, named where it is not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from support.command import write_clips

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Corpus
from firstpacket.bench.errors import CorpusError

Lines = list[dict[str, Any]]


def write(path: Path, content: str | list[Any]) -> Path:
    """A text, or a list as JSON Lines."""
    text = content if isinstance(content, str) else "".join(f"{json.dumps(each)}\n" for each in content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def texts(source: Path) -> list[tuple[str, str | None]]:
    return [(one.id, one.text) for one in load_corpus(str(source)).utterances]


def said(corpus: Corpus) -> list[str]:
    """Notices that are not about the recordings themselves."""
    return [notice for notice in corpus.notices if not re.match(r"\d+ of \d+ recordings ", notice)]


NEMO: Lines = [{"audio_filepath": "clip1.wav", "duration": 0.12, "text": "one"}, {"audio_filepath": "./clip0.wav"}]
DIALOGUE = [
    {"from": "human", "text": "One?", "speech": "clip1.wav"},
    {"from": "gpt", "text": "Yes.", "speech": "none.wav"},
    {"from": "human", "text": "Two?", "speech": "clip0.wav"},
]
USED: dict[str, tuple[str, str | list[Any], list[tuple[str, str | None]]]] = {
    "audiofolder csv": (
        "metadata.csv",
        '\ufefffile_name,transcription\r\nclip1.wav,"One, two"\r\nclip0.wav,\r\n',
        [("clip1", "One, two"), ("clip0", None)],
    ),
    "audiofolder jsonl": ("metadata.jsonl", [{"file_name": "clip1.wav", "sentence": "one"}], [("clip1", "one")]),
    "nemo json": ("test_manifest.json", NEMO, [("clip1", "one"), ("clip0", None)]),
    "nemo jsonl": ("validation.jsonl", NEMO, [("clip1", "one"), ("clip0", None)]),
    "librispeech": ("84-1.trans.txt", "clip1 ONE TWO\n\nclip0 THREE\n", [("clip1", "ONE TWO"), ("clip0", "THREE")]),
    "llama-omni 1": ("question.json", json.dumps([{"id": "q", "speech": "clip1.wav"}]), [("q", None)]),
    "llama-omni 2": (
        "questions.json",
        json.dumps([{"id": "q", "conversation": DIALOGUE[:2]}, {"id": "r", "conversation": DIALOGUE}]),
        [("q", "One?"), ("r-0", "One?")],
    ),
}


@pytest.mark.parametrize("form", USED)
def test_a_list_is_used_in_a_folder_and_by_itself(tmp_path: Path, form: str) -> None:
    name, content, expected = USED[form]
    write_clips(tmp_path, 2)
    path = write(tmp_path / name, content)
    assert texts(tmp_path) == texts(path) == expected
    assert load_corpus(str(tmp_path)).sha256 == load_corpus(str(path)).sha256
    unlisted = [notice for notice in said(load_corpus(str(tmp_path))) if "later turn" not in notice]
    one = f"1 recording was skipped: {name} does not list it (clip0.wav)."
    assert unlisted == ([one] if "clip0" not in str(content) else [])


def test_later_turns_of_dialogues_are_omitted_with_a_notice(tmp_path: Path) -> None:
    write_clips(tmp_path, 2)
    write(tmp_path / "questions.json", json.dumps([{"id": "r", "conversation": DIALOGUE}]))
    (notice,) = said(load_corpus(str(tmp_path)))
    assert notice.startswith("Only the first turn of each dialogue is played; omitted: 1 later turn.")


def test_recordings_that_are_listed_twice_have_ids_of_their_own(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    path = write(tmp_path / "test.json", [{"audio_filepath": "clip0.wav", "text": text} for text in ("one", "two")])
    assert texts(path) == [("clip0", "one"), ("clip0-2", "two")]


def test_chapters_in_one_folder_are_one_corpus(tmp_path: Path) -> None:
    write_clips(tmp_path, 2)
    for number in range(2):
        write(tmp_path / f"84-{number}.trans.txt", f"clip{number} TEXT {number}\n")
    assert texts(tmp_path) == [("clip0", "TEXT 0"), ("clip1", "TEXT 1")]


def test_a_manifest_of_ours_takes_precedence(tmp_path: Path) -> None:
    write_clips(tmp_path, 2)
    write(tmp_path / "test_manifest.json", NEMO)
    write(tmp_path / "manifest.jsonl", [{"id": "mine", "audio": "clip0.wav", "text": "zero"}])
    assert texts(tmp_path) == [("mine", "zero")]


@pytest.mark.parametrize("absolute", [True, False])
def test_paths_of_nemo(tmp_path: Path, absolute: bool) -> None:
    """Absolute paths into the manifest's folder are used; others lead out of it."""
    write_clips(tmp_path / "set" / "wavs", 1)
    name = str((tmp_path / "set" / "wavs" / "clip0.wav").resolve()) if absolute else "../set/wavs/clip0.wav"
    path = write(tmp_path / "set" / "test.json", [{"audio_filepath": name, "text": "zero"}])
    if absolute:
        assert texts(path) == texts(path.parent) == [("wavs/clip0", "zero")]
    else:
        with pytest.raises(CorpusError, match=r"test\.json:1: audio path .* is not inside the manifest's folder"):
            load_corpus(str(path))


def test_a_part_of_a_recording_is_no_recording(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    path = write(tmp_path / "test.json", [{"audio_filepath": "clip0.wav", "duration": 0.1}])
    assert texts(path) == [("clip0", None)]
    write_clips(tmp_path / "longer", 8)
    (tmp_path / "clip0.wav").write_bytes((tmp_path / "longer" / "clip7.wav").read_bytes())
    with pytest.raises(CorpusError, match=r"test\.json:1: .*clip0\.wav is 240 ms long, of which only the first 100 ms"):
        load_corpus(str(path))


CANNOT: dict[str, tuple[dict[str, str | list[Any]], str]] = {
    "two lists": (
        {"train_manifest.json": NEMO, "test_manifest.json": NEMO},
        "test_manifest.json, train_manifest.json list recordings, and none of them is used. Pass the one to use",
    ),
    "two forms": (
        {"metadata.csv": "file_name,text\nclip0.wav,zero\n", "test_manifest.json": NEMO},
        "metadata.csv, test_manifest.json list recordings, and none of them is used",
    ),
    "cuts": (
        {"cuts.json": [{"audio_filepath": "clip0.wav", "offset": 1.5, "duration": 0.5, "text": "x"}]},
        "cuts.json is not used: ",
    ),
    "elsewhere": (
        {"test_manifest.json": [{"audio_filepath": "/data/clip0.wav", "text": "x"}]},
        "test_manifest.json is not used: ",
    ),
    "other columns": ({"metadata.csv": "id;age\n1;2\n"}, "metadata.csv is not read, though it may say what is in"),
    "kaldi": ({"wav.scp": "clip0 sox a.wav -t wav - |\n", "text": "clip0 zero\n"}, "as its lines may be commands"),
    "common voice": ({"test.tsv": "path\tsentence\nclip0.wav\tzero\n"}, "test.tsv: this is TSV."),
    "lhotse": ({"cuts.jsonl": [{"id": "c", "supervisions": []}]}, "cuts.jsonl: these are cuts of Lhotse"),
    "slurp": ({"test.jsonl": [{"slurp_id": 1, "recordings": []}]}, "test.jsonl: these are a list of SLURP"),
    "another name": (
        {"train.csv": 'file_name, "text"\nclip0.wav,zero\n'},
        "train.csv: it names recordings. Rename it to metadata.csv, or pass it: --corpus ",
    ),
    "packed": ({"manifest.jsonl.gz": "\x1f"}, "manifest.jsonl.gz is not read, though it may say what is in"),
    "parquet": ({"test-00000-of-00001.parquet": "PAR1"}, "Import it with: bench corpus import parquet"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_is_not_used_is_named_beside_recordings_and_an_error_without(tmp_path: Path, case: str) -> None:
    files, message = CANNOT[case]
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=next(iter(sorted(files)))):
        load_corpus(str(tmp_path))
    write_clips(tmp_path, 1)
    corpus = load_corpus(str(tmp_path))
    assert [(one.id, one.text) for one in corpus.utterances] == [("clip0", None)]
    (notice,) = said(corpus)
    assert message in notice


def test_a_mistake_in_a_list_is_an_error(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    write(tmp_path / "metadata.csv", "file_name,text\nclip0.wav,Hello, you\n")
    with pytest.raises(CorpusError, match=r"metadata\.csv:2: has another number of cells"):
        load_corpus(str(tmp_path))
    write(tmp_path / "metadata.csv", "file_name,text\nclip0.wav,zero\nclip7.wav,seven\n")
    with pytest.raises(CorpusError, match=r"metadata\.csv:3: .*clip7\.wav: no such file"):
        load_corpus(str(tmp_path))


def test_csv_as_spreadsheets_save_it(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    path = tmp_path / "metadata.csv"
    path.write_text('"file_name", "text"\r\nclip0.wav, "Zero, one"\r\n', encoding="utf-8-sig", newline="")
    assert [one.text for one in load_corpus(str(tmp_path)).utterances] == ["Zero, one"]
    path.write_text("file_name,text\nclip0.wav,caf\xe9\n", encoding="cp1252")
    with pytest.raises(CorpusError, match=r"metadata\.csv: is not UTF-8 text .*Save it as UTF-8"):
        load_corpus(str(tmp_path))
    path.write_text("file_name,text\nclip0.wav,zero\n", encoding="utf-16")
    assert "metadata.csv: this is UTF-16 text. Save it as UTF-8." in said(load_corpus(str(tmp_path)))[0]
    path.write_text("file_name,text,text\nclip0.wav,zero,one\n")
    with pytest.raises(CorpusError, match=r"metadata\.csv: its first line has two columns of the same name"):
        load_corpus(str(tmp_path))


def test_a_list_that_is_not_there_is_never_passed_over(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    (tmp_path / "metadata.csv").symlink_to(".git/annex/objects/1")
    assert "metadata.csv: is a link to a file that does not exist. Fetch it" in said(load_corpus(str(tmp_path)))[0]
    manifest = tmp_path / "manifest.jsonl"
    manifest.symlink_to(".git/annex/objects/2")
    with pytest.raises(CorpusError, match=r"manifest\.jsonl: is a link to .*, which does not exist\. Fetch"):
        load_corpus(str(tmp_path))
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(CorpusError, match=r"manifest\.jsonl: is a pipe, socket or device"):
        load_corpus(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"), [("manifest.jsonl", "\n"), ("metadata.csv", "file_name,text\n"), ("questions.json", "[]")]
)
def test_a_list_without_recordings_is_named(tmp_path: Path, name: str, content: str) -> None:
    write_clips(tmp_path, 1)
    write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=f"{name}: contains no recordings. List at least one, or remove the file"):
        load_corpus(str(tmp_path))


def test_a_list_of_another_tool_may_be_called_manifest(tmp_path: Path) -> None:
    write_clips(tmp_path, 2)
    write(tmp_path / "manifest.jsonl", '{"audio_filepath": "clip0.wav", "text": "zero"}\n')
    corpus = load_corpus(str(tmp_path))
    assert [(one.id, one.text) for one in corpus.utterances] == [("clip0", "zero")]
    assert "manifest.jsonl does not list" in said(corpus)[0]


def test_the_command_that_converts_a_list_does_not_empty_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"jq -c '\.\[\]' manifest\.jsonl > new-manifest\.jsonl$"):
        load_corpus(str(write(tmp_path / "manifest.jsonl", "[]")))
    with pytest.raises(CorpusError, match=r"jq -c '\.\[\]' 'my list\.json' > manifest\.jsonl$"):
        load_corpus(str(write(tmp_path / "my list.json", "[]")))


def test_folders_are_no_recordings(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    (tmp_path / "session.wav").mkdir()
    assert [one.id for one in load_corpus(str(tmp_path)).utterances] == ["clip0"]


def test_several_columns_of_text_are_named(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    write(tmp_path / "metadata.csv", "file_name,text,sentence\nclip0.wav,zero,Zero.\n")
    (notice,) = said(load_corpus(str(tmp_path)))
    assert notice.startswith("No texts are used: several columns of metadata.csv may be what is said (text, sentence).")


WRONG: dict[str, tuple[str, str]] = {
    "manifest.csv": ("id,audio,text\na,clip0.wav,x\n", r"this is CSV\. A manifest is JSON Lines, .*import audiofolder"),
    "manifest.tsv": ("id\taudio\n", r"this is TSV\. A manifest is JSON Lines"),
    "manifest.json": ('[\n {"id": "a", "audio": "clip0.wav"}\n]', r"this is one JSON array\. .*jq -c '\.\[\]'"),
    "manifest.jsonl": ('[{"id": "a", "audio": "clip0.wav"}]', r"this is one JSON array\."),
    "one.json": ('{\n "id": "a",\n "audio": "clip0.wav"\n}', "this is one JSON object over several lines"),
    "several lines.jsonl": ('{\n "id": "a",\n "audio": "clip0.wav"\n}', "this is one JSON object over several lines"),
    "csv.jsonl": ("id,audio\na,clip0.wav\n", r"this is not JSON\. A manifest is JSON Lines"),
    "semicolons.csv": ("file_name;text\nclip0.wav;x\n", "not separated by commas"),
    "set.parquet": ("PAR1", "this is Parquet. Import it with: bench corpus import parquet"),
    "wav.scp": ("a cat a.wav |\n", "this is a list of Kaldi's, which is not read, as its lines may be commands"),
    "notes.txt": ("hello", "this is a .txt file, neither a recording nor a manifest"),
    "a.yaml": ("id: a", "this is a .yaml file, neither a recording nor a manifest"),
    "empty.json": ("", "contains no recordings"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_in_another_form_says_which_and_what_to_do(tmp_path: Path, name: str) -> None:
    content, message = WRONG[name]
    write_clips(tmp_path, 1)
    with pytest.raises(CorpusError, match=message):
        load_corpus(str(write(tmp_path / name, content)))


def test_a_manifest_in_a_folder_is_told_from_other_forms_too(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    write(tmp_path / "manifest.jsonl", '[{"id": "a", "audio": "clip0.wav"}]')
    with pytest.raises(CorpusError, match=r"manifest\.jsonl: this is one JSON array"):
        load_corpus(str(tmp_path))
    (tmp_path / "manifest.jsonl").unlink()
    (tmp_path / "manifest.jsonl").mkdir()
    with pytest.raises(CorpusError, match=r"manifest\.jsonl: is a folder"):
        load_corpus(str(tmp_path))


def test_lines_of_ours_may_be_in_a_file_called_json(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    assert texts(write(tmp_path / "mine.json", [{"id": "a", "audio": "clip0.wav", "text": "zero"}])) == [("a", "zero")]


def test_utf16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"id": "a", "audio": "a.wav"}\n', encoding="utf-16")
    for source in (tmp_path, path):
        with pytest.raises(CorpusError, match=r"is not UTF-8 text \(it is UTF-16\)\. Save it as UTF-8"):
            load_corpus(str(source))


def test_lines_may_end_as_on_any_system(tmp_path: Path) -> None:
    write_clips(tmp_path, 2)
    lines = [json.dumps({"id": f"c{number}", "audio": f"clip{number}.wav"}) for number in range(2)]
    for end in ("\n", "\r\n", "\r", "\n\n \n"):
        (tmp_path / "manifest.jsonl").write_bytes(end.join(["", *lines, ""]).encode())
        assert [name for name, _ in texts(tmp_path)] == ["c0", "c1"], repr(end)


def test_recordings_may_be_links_but_not_to_nothing(tmp_path: Path) -> None:
    """As in the caches of Hugging Face, DVC and git-annex, where contents are elsewhere and may not be fetched."""
    away = write_clips(tmp_path / "blobs", 1) / "clip0.wav"
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.wav").symlink_to(away)
    assert texts(folder) == [("a", None)]
    away.unlink()
    with pytest.raises(CorpusError, match=r"a\.wav: is a link to .*clip0\.wav, which does not exist\. Fetch the file"):
        load_corpus(str(folder))
