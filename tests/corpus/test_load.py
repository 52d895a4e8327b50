"""Sources of every form to a corpus: what is loaded, hashed and reported."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.corpus import catalogue, load, on_disk
from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.errors import CorpusError, MissingDependency, UnknownName, UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE

soundfile = pytest.importorskip("soundfile")
SHARED = Path(__file__).parents[3] / "shared" / "corpora"
CASES = SHARED.with_name("cases")


def clip(path: Path, seconds: float = 1.0, silence: float = 0.5) -> Path:
    """A buzz, and silence after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round((seconds + silence) * SAMPLE_RATE)) / SAMPLE_RATE
    soundfile.write(str(path), 0.3 * np.sin(2 * np.pi * 200 * time) * (time < seconds), SAMPLE_RATE)
    return path


def corpus(folder: Path, *lines: dict[str, Any]) -> str:
    for number, line in enumerate(lines):
        if not (folder / line["audio"]).exists():
            clip(folder / line["audio"], 1.0 + number / 10)
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(folder)


def test_a_manifest(tmp_path: Path) -> None:
    source = corpus(
        tmp_path / "mine",
        {
            "id": "z",
            "audio": "z.wav",
            "text": "Hello.",
            "speech_end_ms": 990,
            "language": "de",
            "voice": "v",
            "licence": "l",
        },
        {"id": "a", "audio": "sub/a.flac"},
    )
    loaded = load_corpus(source)
    assert (loaded.name, loaded.source) == ("mine", source)
    first, second = loaded.utterances
    assert (first.id, first.text, first.language, first.voice, first.licence) == ("z", "Hello.", "de", "v", "l")
    assert (first.speech_end_ms, first.speech_end_source) == (990, "annotated")
    assert len(first.speech()) == 990 * SAMPLE_RATE // 1000
    assert second.speech_end_source == "estimated" and second.speech_end_ms == pytest.approx(1100, abs=20)
    assert len(loaded.notices) == 1 and loaded.notices[0].startswith(
        "1 of 2 recordings have an estimated end of speech"
    )
    assert loaded.notices[0].endswith("(a).")
    assert load_corpus(str(tmp_path / "mine" / "manifest.jsonl")).sha256 == loaded.sha256


def test_an_estimate_in_the_manifest_stays_one(tmp_path: Path) -> None:
    loaded = load_corpus(
        corpus(tmp_path, {"id": "a", "audio": "a.wav", "speech_end_ms": 990, "speech_end_source": "estimated"})
    )
    assert loaded.utterances[0].speech_end_source == "estimated" and loaded.notices


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac", "c.MP3", "d.ogg"):
        clip(tmp_path / name)
    (tmp_path / "a.txt").write_text("\ufeffTell me.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text(" \n")
    (tmp_path / "._a.flac").write_bytes(b"a stray of another system")
    (tmp_path / "notes.md").write_text("no recording")
    loaded = load_corpus(str(tmp_path))
    assert [one.id for one in loaded.utterances] == ["a", "b", "c", "d"]
    assert [one.text for one in loaded.utterances] == ["Tell me.", None, None, None]


def test_one_file(tmp_path: Path) -> None:
    path = clip(tmp_path / "hello.opus.flac")
    path.with_suffix(".txt").write_text("Hello.")
    loaded = load_corpus(str(path))
    assert loaded.name == "hello.opus" and loaded.utterances[0].text == "Hello."


def test_instructs2s_eval(tmp_path: Path) -> None:
    clip(tmp_path / "x.wav")
    prompt = {"from": "human", "value": "<speech>\nPlease directly answer the questions in the user's speech."}
    questions = tmp_path / "question.json"
    questions.write_text(json.dumps([{"id": "q1", "speech": "x.wav", "conversations": [prompt]}]))
    for source in (tmp_path, questions):
        (one,) = load_corpus(str(source)).utterances
        assert (one.id, one.text, one.speech_end_source) == ("q1", None, "estimated")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"id": "q"}, "is not a list of questions"),
        ([], "contains no recordings"),
        ([{"id": 3, "speech": "x.wav"}], r"question\.json\[0\]: 'id' is missing or not text"),
        ([{"id": "q"}], r"question\.json\[0\]: 'speech' is missing or not text"),
        (["q"], r"question\.json\[0\]: 'id' is missing"),
        ([{"id": "q", "speech": "/x.wav"}], "is not inside the manifest's folder"),
        ([{"id": "q", "speech": "y.wav"}], r"question\.json\[0\]: .*y\.wav: no such file"),
    ],
)
def test_a_wrong_question_json(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "question.json").write_text(json.dumps(content))
    with pytest.raises(CorpusError, match=message):
        load_corpus(str(tmp_path))


def test_the_hash_depends_on_content_not_on_paths(tmp_path: Path) -> None:
    lines = [{"id": name, "audio": f"{name}.wav", "text": "t", "speech_end_ms": 900} for name in "ab"]
    here = load_corpus(corpus(tmp_path / "here", *lines)).sha256
    moved = [{**line, "audio": f"deep/{line['audio']}"} for line in lines]
    assert load_corpus(corpus(tmp_path / "there", *moved)).sha256 == here
    others = [
        lines[::-1],
        lines[:1],
        [{**lines[0], "id": "c"}, lines[1]],
        [{**lines[0], "text": "u"}, lines[1]],
        [{**lines[0], "speech_end_ms": 901}, lines[1]],
        [{**lines[0], "speech_end_source": "estimated"}, lines[1]],
        [{**lines[0], "audio": "b.wav"}, lines[1]],
    ]
    hashes = [load_corpus(corpus(tmp_path / "here", *other)).sha256 for other in others]
    trimmed = load_corpus(corpus(tmp_path / "here", *lines), trim_to_s=0.95).sha256
    assert len({here, trimmed, *hashes}) == len(others) + 2


def test_a_changed_recording_is_noticed(tmp_path: Path) -> None:
    source = corpus(tmp_path, {"id": "a", "audio": "a.wav", "sha256": "0" * 64})
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:1: .*a\.wav is not the recording .* manifest has 0000"):
        load_corpus(source)


def test_fields_that_came_later_change_the_hash_only_where_they_are_given(tmp_path: Path) -> None:
    plain = {"id": "a", "audio": "a.flac", "text": "Hello.", "speech_end_ms": 990}
    found = load_corpus(corpus(tmp_path, plain))
    one = found.utterances[0]
    content = [[one.id, one.sha256, len(one.samples), "Hello.", 990.0, "annotated"]]
    assert found.sha256 == hashlib.sha256(json.dumps(content).encode()).hexdigest(), "as it was without these fields"
    others: list[dict[str, Any]] = [{"category": "c"}, {"dialogue": "d", "turn": 0}, {"answer_rule": "final"}]
    hashes = {load_corpus(corpus(tmp_path, {**plain, **other})).sha256 for other in others}
    assert len(hashes) == 3 and found.sha256 not in hashes
    same: list[dict[str, Any]] = [{"answer_rule": "equals"}, {"speaker": "a hash with a salt of its own"}]
    assert {load_corpus(corpus(tmp_path, {**plain, **each})).sha256 for each in same} == {found.sha256}


def test_of_dialogues_the_first_turns_are_asked(tmp_path: Path) -> None:
    turns = [{"id": f"d{d}-{t}", "audio": "a.flac", "dialogue": f"d{d}", "turn": t} for t in (1, 0, 2) for d in "ab"]
    source = corpus(tmp_path, *turns, {"id": "single", "audio": "a.flac"})
    found = load_corpus(source)
    assert [one.id for one in found.utterances] == ["da-0", "db-0", "single"]
    assert [one.dialogue for one in found.utterances] == ["da", "db", ""]
    assert "omitted: 4 later turns" in found.notices[-1]
    assert [one.id for one in load_corpus(source, limit=2).utterances] == ["da-0", "db-0"]


def test_a_hash_may_be_written_in_capitals(tmp_path: Path) -> None:
    digest = load_corpus(corpus(tmp_path, {"id": "a", "audio": "a.wav"})).utterances[0].sha256
    load_corpus(corpus(tmp_path, {"id": "a", "audio": "a.wav", "sha256": digest.upper()}))


def test_speech_cannot_end_behind_the_clip(tmp_path: Path) -> None:
    assert (
        load_corpus(corpus(tmp_path, {"id": "a", "audio": "a.wav", "speech_end_ms": 1500.6}))
        .utterances[0]
        .speech_end_ms
        == 1500
    )
    with pytest.raises(CorpusError, match=r"jsonl:1: speech_end_ms is 1700, but .*a\.wav is only 1500\.0 ms long"):
        load_corpus(corpus(tmp_path, {"id": "a", "audio": "a.wav", "speech_end_ms": 1700}))


@pytest.mark.parametrize("end", [20, 44.1])
def test_an_end_in_seconds_is_noticed_in_a_clip_of_seconds(tmp_path: Path, end: float) -> None:
    clip(tmp_path / "long.wav", 44.1)
    source = corpus(tmp_path, {"id": "a", "audio": "a.wav"}, {"id": "long", "audio": "long.wav", "speech_end_ms": end})
    said = (
        rf"jsonl:2: speech_end_ms is {end:g}, but .*long\.wav is 44600 ms long\. The unit is milliseconds \({end:g} sec"
    )
    with pytest.raises(CorpusError, match=said):
        load_corpus(source)


def test_a_short_word_in_a_short_clip_and_speech_from_the_middle(tmp_path: Path) -> None:
    clip(tmp_path / "yes.wav", 0.09, silence=0.3)
    lines = (
        {"id": "yes", "audio": "yes.wav", "speech_end_ms": 90},
        {"id": "a", "audio": "a.wav", "speech_end_ms": 100},
    )
    assert [one.speech_end_ms for one in load_corpus(corpus(tmp_path, *lines)).utterances] == [90, 100]
    with pytest.raises(CorpusError, match=r"speech_start_ms is 9000, but .*a\.wav is only 1600\.0 ms long"):
        load_corpus(corpus(tmp_path, {"id": "a", "audio": "a.wav", "speech_start_ms": 9000}))


def test_a_missing_file_and_a_broken_one_are_named_with_their_line(tmp_path: Path) -> None:
    source = corpus(tmp_path, {"id": "a", "audio": "a.wav"}, {"id": "b", "audio": "b.wav"})
    (tmp_path / "b.wav").unlink()
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:2: .*b\.wav: no such file\. Correct the path"):
        load_corpus(source)
    (tmp_path / "b.wav").write_text("hello")
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:2: .*b\.wav: not a sound file"):
        load_corpus(source)


def test_a_missing_library_is_not_the_corpus_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = corpus(tmp_path, {"id": "a", "audio": "a.flac"})
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingDependency, match="pip install soundfile soxr"):
        load_corpus(source)


def test_empty_sources(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"contains no recordings that can be read\. Add \.wav, \.flac"):
        load_corpus(str(tmp_path))
    (tmp_path / "manifest.jsonl").write_text("\n")
    with pytest.raises(CorpusError, match=r"manifest\.jsonl: contains no recordings|contains no recordings"):
        load_corpus(str(tmp_path))


def test_two_recordings_of_one_name(tmp_path: Path) -> None:
    clip(tmp_path / "a.wav")
    clip(tmp_path / "a.flac")
    with pytest.raises(CorpusError, match=r"a\.wav: id 'a' is already used at .*a\.flac"):
        load_corpus(str(tmp_path))


@pytest.mark.parametrize("source", ["demi", "no/such/folder", "", "a\0b"])
def test_an_unknown_corpus_names_the_known_ones(source: str) -> None:
    with pytest.raises(UnknownName, match=r"Unknown corpus .*demo.* Or pass the path"):
        load_corpus(source)


def test_an_overlong_path_is_refused() -> None:
    with pytest.raises(CorpusError, match="cannot be opened"):
        load_corpus("x" * 5000)


@pytest.mark.parametrize("trim_to_s", [0, -1, float("nan"), float("inf")])
def test_trimming_to_nothing_is_refused(tmp_path: Path, trim_to_s: float) -> None:
    with pytest.raises(UsageError, match="Pass a number of seconds above 0"):
        load_corpus(str(tmp_path), trim_to_s=trim_to_s)


def test_a_limit_takes_the_first_clips(tmp_path: Path) -> None:
    source = corpus(tmp_path, *({"id": name, "audio": f"{name}.wav"} for name in "cab"))
    (tmp_path / "b.wav").write_text("never opened")
    assert [one.id for one in load_corpus(source, limit=2).utterances] == ["c", "a"]
    with pytest.raises(UsageError, match="Pass 1 or more"):
        load_corpus(source, limit=0)


def many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Six recordings, more than are loaded whole; d is damaged."""
    monkeypatch.setattr(load, "WHOLE", 5)
    source = corpus(folder, *({"id": name, "audio": f"{name}.wav"} for name in "fedcba"))
    (folder / "d.wav").write_text("damaged")
    return source


def test_of_a_large_corpus_only_what_is_drawn_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = many(tmp_path, monkeypatch)
    loaded = load_corpus(source, draw=lambda ids: [ids[4], ids[0]])
    assert [one.id for one in loaded.utterances] == ["f", "b"], "in the corpus's order"
    assert loaded.notices[0].startswith("Of the 6 recordings of the corpus, the 2 that this run draws were decoded")
    assert loaded.notices[1].startswith("2 of 2 recordings have an estimated end of speech")
    two = [{"id": name, "audio": f"{name}.wav"} for name in "fb"]
    assert loaded.sha256 == load_corpus(corpus(tmp_path, *two)).sha256, "that of the same recordings"


def test_a_damaged_recording_is_an_error_where_it_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = many(tmp_path, monkeypatch)
    for draw in (None, lambda ids: ids[:3]):
        with pytest.raises(CorpusError, match=r"manifest\.jsonl:3: .*d\.wav: not a sound file"):
            load_corpus(source, draw=draw)
    with pytest.raises(CorpusError, match=r"d\.wav: not a sound file"):
        list(load.each_utterance(source))


def test_a_small_corpus_is_loaded_whole_whatever_is_drawn(tmp_path: Path) -> None:
    source = corpus(tmp_path, *({"id": name, "audio": f"{name}.wav"} for name in "cab"))
    drawn = load_corpus(source, draw=lambda ids: ids[:1])
    whole = load_corpus(source)
    assert (drawn.sha256, drawn.notices) == (whole.sha256, whole.notices)
    assert [one.id for one in drawn.utterances] == ["c", "a", "b"]


def test_clips_of_a_large_corpus_are_the_same_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = corpus(tmp_path, *({"id": name, "audio": f"{name}.wav"} for name in "cab"))
    small = load_corpus(source)
    monkeypatch.setattr(load, "WHOLE", 2)
    large = load_corpus(source)
    assert (large.sha256, large.notices) == (small.sha256, small.notices)
    for one, other in zip(large.utterances, small.utterances, strict=True):
        assert isinstance(one.samples, np.memmap) and not isinstance(other.samples, np.memmap)
        assert np.array_equal(one.samples, other.samples) and one.duration_ms == other.duration_ms
        assert np.array_equal(one.speech(), other.speech()) and type(one.speech()) is np.ndarray


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = corpus(tmp_path, *({"id": name, "audio": f"{name}.wav"} for name in "ca"))
    monkeypatch.setattr(load, "WHOLE", 1)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    monkeypatch.setattr(on_disk.tempfile, "TemporaryFile", lambda: full.open("r+b", buffering=0))
    with pytest.raises(CorpusError, match=r"cannot be kept in .*: No space left on device\. .* TMPDIR"):
        load_corpus(source)


def test_a_trimmed_clip_ends_its_speech_where_it_is_cut(tmp_path: Path) -> None:
    source = corpus(tmp_path, {"id": "a", "audio": "a.wav", "speech_end_ms": 990}, {"id": "b", "audio": "b.wav"})
    loaded = load_corpus(source, trim_to_s=0.5)
    assert [one.speech_end_ms for one in loaded.utterances] == [500, 500]
    assert any("2 of 2 recordings were cut by --trim-to" in notice for notice in loaded.notices)


def test_silent_clips_are_accepted_with_a_notice(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "a.wav"), np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    loaded = load_corpus(str(tmp_path))
    assert loaded.utterances[0].speech_end_ms == 1000
    assert any("1 of 1 recordings are silent" in notice for notice in loaded.notices)


def sound(path: Path, samples: np.ndarray) -> str:
    soundfile.write(str(path), samples, SAMPLE_RATE, subtype="FLOAT")
    return str(path)


def test_a_clip_of_one_sample_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"speech ends after 0\.0625 ms, which leaves no speech\. Remove the rec"):
        load_corpus(sound(tmp_path / "a.wav", np.full(1, 0.2)))


def test_an_offset_is_no_sound(tmp_path: Path) -> None:
    loaded = load_corpus(sound(tmp_path / "a.wav", np.full(SAMPLE_RATE, 0.2)))
    assert loaded.utterances[0].marks == ("silent",) and loaded.utterances[0].speech_end_ms == 1000


def test_quiet_speech_is_quiet_not_silent(tmp_path: Path) -> None:
    speech = load_corpus("demo", limit=1).utterances[0]
    loaded = load_corpus(sound(tmp_path / "a.wav", speech.samples / np.abs(speech.samples).max() * 10 ** (-60 / 20)))
    assert loaded.utterances[0].marks == ("quiet",)
    assert loaded.utterances[0].speech_end_ms == pytest.approx(speech.speech_end_ms, abs=15)
    assert any("1 of 1 recordings are very quiet (never above -50 dBFS)" in notice for notice in loaded.notices)


def test_an_end_in_doubt_is_flagged_unless_it_is_annotated(tmp_path: Path) -> None:
    speech = load_corpus("demo", limit=1).utterances[0].samples
    noise = 0.5 * np.sqrt(np.mean(speech**2)) * np.random.default_rng(0).standard_normal(len(speech))
    source = sound(tmp_path / "a.wav", speech + noise)
    assert load_corpus(source).utterances[0].marks == ("doubtful-end",)
    assert any("1 of 1 recordings are flagged: noise" in notice for notice in load_corpus(source).notices)
    (tmp_path / "manifest.jsonl").write_text('{"id": "a", "audio": "a.wav", "speech_end_ms": 1100}')
    assert load_corpus(str(tmp_path)).utterances[0].marks == ()


def test_noise_without_speech_is_said(tmp_path: Path) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    loaded = load_corpus(sound(tmp_path / "a.wav", noise))
    assert loaded.utterances[0].marks == ("no-speech",) and loaded.utterances[0].speech_end_ms == 1000
    assert any("hold nothing that sounds like speech" in notice for notice in loaded.notices)


@pytest.mark.golden
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the checkout")
def test_cases_from_the_field() -> None:
    ends = {one.id: one.speech_end_ms for one in load_corpus(str(CASES / "end-of-speech-dc-offset")).utterances}
    assert (
        len(ends) == 3 and ends["ref"] == pytest.approx(1140, abs=10) and max(ends.values()) - min(ends.values()) < 20
    )
    phase = load_corpus(str(CASES / "stereo-opposite-phase" / "clip.wav")).utterances[0]
    assert phase.marks == ("opposite-phase",) and np.abs(phase.samples).max() > 0.05
    (skipped,) = [
        each for each in load_corpus(str(CASES / "folder-other-sound-files" / "clips")).notices if "m4a" in each
    ]
    assert "b.m4a, c.webm, d.aiff" in skipped


def test_a_notice_names_only_a_few_clips(tmp_path: Path) -> None:
    source = corpus(tmp_path, *({"id": f"c{number}", "audio": "a.wav"} for number in range(8)))
    assert "8 of 8" in (notice := load_corpus(source).notices[0]) and notice.endswith("(c0, c1, c2, c3, c4, …).")


def test_corpora_are_listed_with_the_first_words_of_their_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = tmp_path / "datasets"
    monkeypatch.setattr(catalogue, "DATASETS", datasets)
    assert list_corpora() == ()
    corpus(datasets / "two", {"id": "c", "audio": "a.wav"})
    corpus(datasets / "one", {"id": "p", "audio": "a.wav"})
    (datasets / "two" / "README.md").write_text("# two\n\nSecond,\nin short.\n\nMore.\n")
    (datasets / "weights").mkdir()
    assert [(one.name, one.description) for one in list_corpora()] == [("one", ""), ("two", "Second, in short.")]
    assert load_corpus("one").utterances[0].id == "p"
    assert load_corpus("two").utterances[0].id == "c"
    assert load_corpus("two").source == "two"


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="no recordings beside the checkout")
def test_published_recordings() -> None:
    loaded = load_corpus(str(SHARED / "instructs2s-eval-sample"))
    assert [one.id for one in loaded.utterances] == [
        "helpful_base_1",
        "helpful_base_2",
        "vicuna_1",
        "vicuna_2",
        "vicuna_3",
    ]
    assert all(one.duration_ms - 300 < one.speech_end_ms < one.duration_ms for one in loaded.utterances)
    (human,) = load_corpus(str(SHARED / "human" / "jfk.flac")).utterances
    assert human.duration_ms == 11_000
