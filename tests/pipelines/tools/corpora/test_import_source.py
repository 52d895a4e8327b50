"""The files of a downloaded data set: splits and shards by their names, revisions as the hub's tools leave them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from support.data_sets import encoded, sound, tone, voicebench, write_parquet

from firstpacket.bench.corpus.manifest import read_manifest
from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.pipelines.tools.corpora.importing.plan import Plan, Request, prepare
from firstpacket.pipelines.tools.corpora.importing.source import audiofolder_parts, parquet_parts, stated_licence
from firstpacket.pipelines.tools.corpora.importing.write import write_corpus

pytest.importorskip("pyarrow")
COMMIT, OTHER = "a" * 40, "b" * 40


def planned(kind: str, path: Path, **how: object) -> Plan:
    return prepare(Request(kind, path, path.parent / "out", **how))  # type: ignore[arg-type]


def test_shards_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Some tools write numbers without zeros before them: 10 comes after 9."""
    for number in range(11):
        write_parquet(tmp_path / f"test-{number}-of-11.parquet", [{"id": f"r{number}", "audio": sound(number)}])
    plan = planned("parquet", tmp_path)
    assert [one.id for one in plan.candidates] == [f"r{number}" for number in range(11)]
    assert not plan.notices


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    for number in (0, 2):
        write_parquet(tmp_path / f"test-0000{number}-of-00004.parquet", [{"audio": sound(number)}])
    (notice,) = planned("parquet", tmp_path).notices
    assert notice == "the split test is not complete: test-00001-of-00004, test-00003-of-00004 are missing."


@pytest.mark.parametrize(
    ("name", "subset", "split"),
    [
        ("sd-qa/usa-00000-of-00001.parquet", "sd-qa", "usa"),
        ("alpacaeval_speaker/en_AU_A_1.0_0.0-00000-of-00001.parquet", "alpacaeval_speaker", "en_AU_A_1.0_0.0"),
        ("data/train-00000-of-00001.parquet", "", "train"),
        ("test-00000-of-00001-0123456789abcdef.parquet", "", "test"),
        ("default/train/0000.parquet", "default", "train"),
        ("de_de/validation.parquet", "de_de", "validation"),
    ],
)
def test_subsets_and_splits_are_in_names_alone(tmp_path: Path, name: str, subset: str, split: str) -> None:
    file = write_parquet(tmp_path / name, [{"audio": sound(1)}])
    (part,) = parquet_parts(tmp_path)
    assert (part.subset, part.split, part.files) == (subset, split, (file,))


def test_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    write_parquet(tmp_path / ".cache/old/test-00000-of-00001.parquet", [{"audio": sound(1)}])
    assert parquet_parts(tmp_path) == ()


def test_folders_of_an_audiofolder_are_its_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.wav").write_bytes(encoded(tone(1 if split == "train" else 2)))
        (tmp_path / split / "metadata.csv").write_text("file_name\na.wav\n")
    assert [part.split for part in audiofolder_parts(tmp_path)] == ["test", "train"]
    plan = planned("audiofolder", tmp_path, split="train")
    assert [(one.part.split, one.row.sound) for one in plan.candidates] == [("train", tmp_path / "train/a.wav")]
    (tmp_path / "train/metadata.jsonl").write_text("")
    with pytest.raises(CorpusError, match=r"has metadata.csv and metadata.jsonl. Name the file that counts"):
        audiofolder_parts(tmp_path)


def test_the_revision_of_a_local_download(tmp_path: Path) -> None:
    """`hf download --local-dir` keeps it beside the files, in the first line of FILE.metadata."""
    source = voicebench(tmp_path / "vb", "commoneval", [{"audio": sound(1), "prompt": "?"}])
    kept = source / ".cache/huggingface/download/commoneval/test-00000-of-00001.parquet.metadata"
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{COMMIT}\n1d2a8f0e\n1732920000.0\n")
    assert planned("voicebench", source).wanted.revision == COMMIT
    assert planned("voicebench", source / "commoneval").wanted.revision == COMMIT
    kept.write_text("not a commit\n")
    assert planned("voicebench", source).wanted.revision.startswith("sha256:")
    assert planned("voicebench", source, revision="mine").wanted.revision == "mine"


def test_files_of_two_revisions_have_none(tmp_path: Path) -> None:
    for number, commit in enumerate((COMMIT, OTHER)):
        name = f"test-0000{number}-of-00002.parquet"
        write_parquet(tmp_path / name, [{"audio": sound(number)}])
        kept = tmp_path / f".cache/huggingface/download/{name}.metadata"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{commit}\n")
    assert planned("parquet", tmp_path).wanted.revision.startswith("sha256:")


def test_the_hubs_cache_names_revision_and_data_set_and_links_to_its_own_blobs(tmp_path: Path) -> None:
    cache = tmp_path / "datasets--somebody--questions"
    snapshot = cache / "snapshots" / COMMIT
    (snapshot / "data").mkdir(parents=True)
    (cache / "blobs").mkdir()
    blob = write_parquet(tmp_path / "x.parquet", [{"audio": sound(1)}]).rename(cache / "blobs/0123")
    (snapshot / "data/test-00000-of-00001.parquet").symlink_to(Path("../../../blobs") / blob.name)
    wanted = planned("parquet", snapshot).wanted
    assert (wanted.revision, wanted.dataset) == (COMMIT, "somebody/questions")
    outside = write_parquet(tmp_path / "y.parquet", [{"audio": sound(1)}])
    (snapshot / "data/train-00000-of-00001.parquet").symlink_to(outside)
    with pytest.raises(CorpusError, match="is a link to a file outside"):
        planned("parquet", snapshot)


def test_without_a_recorded_revision_the_content_is_the_revision(tmp_path: Path) -> None:
    first = planned("parquet", write_parquet(tmp_path / "a.parquet", [{"audio": sound(1)}])).wanted
    same = planned("parquet", tmp_path / "a.parquet").wanted
    other = planned("parquet", write_parquet(tmp_path / "a.parquet", [{"audio": sound(2)}])).wanted
    assert first.revision == same.revision != other.revision and set(first.sources) == {"a.parquet"}


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ("---\nlanguage:\n- en\nlicense:\n- cc-by-4.0\n- cc0-1.0\ntags: []\n---\n", "cc-by-4.0, cc0-1.0"),
        ("---\nlicense: 'other'\n---\n", "other"),
        ("# A set\nlicense: mit\n", ""),
        ("---\ntags: []\n---\nlicense: mit\n", ""),
        ("---\nlicense:\n---\n", ""),
        ("", ""),
    ],
)
def test_the_licence_that_a_card_states(tmp_path: Path, card: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert stated_licence(tmp_path)[0] == licence


def test_the_card_of_the_download_counts_and_not_any_file_above(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "set/subset").mkdir(parents=True)
    assert stated_licence(tmp_path / "set/subset") == ("", None)
    (tmp_path / "set/.cache/huggingface/download").mkdir(parents=True)
    (tmp_path / "set/README.md").write_text("---\nlicense: cc0-1.0\n---\n")
    assert stated_licence(tmp_path / "set/subset") == ("cc0-1.0", tmp_path / "set/README.md")


def test_a_folder_without_rows_or_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"contains no files of the kind parquet"):
        planned("parquet", tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name\n")
    with pytest.raises(CorpusError, match=r"contains no rows"):
        planned("audiofolder", tmp_path)
    with pytest.raises(UsageError, match=r"already exists"):
        prepare(Request("parquet", write_parquet(tmp_path / "a.parquet", [{"audio": sound(1)}]), tmp_path))


def test_librispeech_is_its_chapters(tmp_path: Path) -> None:
    for split, speaker in (("test-clean", "84"), ("test-clean", "121"), ("dev-clean", "9")):
        chapter = tmp_path / split / speaker / "1"
        chapter.mkdir(parents=True)
        for number in range(2):
            samples = tone(int(speaker) + number)
            (chapter / f"{speaker}-1-000{number}.flac").write_bytes(encoded(samples, "FLAC"))
        (chapter / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0000 ONE\n{speaker}-1-0001 TWO\n")
    plan = planned("auto", tmp_path, split="test-clean", take=2)
    assert (plan.kind.name, plan.wanted.licence, plan.wanted.drawn_over) == ("librispeech", "CC BY 4.0", "speakers")
    assert [(one.id, one.row.text, one.speaker) for one in plan.candidates][:3] == [
        ("121-1-0000", "ONE", "121"),
        ("121-1-0001", "TWO", "121"),
        ("84-1-0000", "ONE", "84"),
    ]
    one_split = planned("librispeech", tmp_path / "dev-clean")
    assert [one.part.split for one in one_split.candidates] == ["", ""]


def test_cuts_of_a_nemo_manifest_are_cut(tmp_path: Path) -> None:
    samples = tone(1, 1.0)
    (tmp_path / "long.wav").write_bytes(encoded(samples))
    cut = {"audio_filepath": "long.wav", "text": "Hi.", "offset": 0.25, "duration": 0.5}
    (tmp_path / "test.json").write_text(json.dumps(cut) + "\n")
    write_corpus(prepare(Request("nemo", tmp_path, tmp_path / "out")))
    (entry,) = read_manifest(tmp_path / "out/manifest.jsonl")
    assert (entry.line.id, entry.line.text) == ("long", "Hi.")
    assert (soundfile.read(entry.audio, dtype="int16")[0] == samples[4000:12000]).all()


def test_llama_omni_2_has_dialogues(tmp_path: Path) -> None:
    turns = [{"from": who, "text": f"{n}", "speech": f"{n}.wav"} for n, who in enumerate(("human", "gpt", "human"))]
    for number in (0, 2):
        (tmp_path / f"{number}.wav").write_bytes(encoded(tone(number)))
    (tmp_path / "questions.json").write_text(json.dumps([{"id": "q", "conversation": turns}]))
    plan = planned("auto", tmp_path)
    assert plan.kind.name == "llama-omni" and plan.wanted.licence == "none stated"
    assert [(one.id, one.row.dialogue, one.row.turn, one.row.text) for one in plan.candidates] == [
        ("q-0", "q", 0, "0"),
        ("q-1", "q", 1, "2"),
    ]
