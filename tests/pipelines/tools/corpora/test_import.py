"""`bench corpus import`: what is taken, what is left out and named, and what never happens to a folder."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support.command import here
from support.data_sets import RATE, big_bench_audio, encoded, sound, tone, voicebench, write_parquet

from firstpacket.bench.corpus import decoders
from firstpacket.bench.corpus.estimates import ESTIMATES
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.manifest import ManifestLine, read_manifest
from firstpacket.bench.errors import CorpusError, UnknownName, UsageError
from firstpacket.pipelines.tools.corpora.importing import lines, taking
from firstpacket.pipelines.tools.corpora.importing.candidates import Choice
from firstpacket.pipelines.tools.corpora.importing.plan import Request, prepare
from firstpacket.pipelines.tools.corpora.importing.record import ImportRecord, read_record
from firstpacket.pipelines.tools.corpora.importing.write import SALT, write_corpus

pytest.importorskip("pyarrow")


def imported(kind: str, path: Path, out: Path, **how: Any) -> ImportRecord:
    return write_corpus(prepare(Request(kind, path, out, **how)))


def manifest(folder: Path) -> list[ManifestLine]:
    return [entry.line for entry in read_manifest(folder / "manifest.jsonl")]


def left_out(record: ImportRecord) -> dict[str, tuple[str, ...]]:
    assert record.counts is not None
    return {reason: rows.ids for reason, rows in record.counts.left_out.items()}


def samples(file: Path) -> Any:
    return soundfile.read(file, dtype="int16")[0]


QUESTIONS = [
    {"audio": sound(number), "prompt": f"Question {number}?", "reference": f"answer {number}"} for number in range(4)
]


def test_voicebench_becomes_an_ordinary_corpus(tmp_path: Path) -> None:
    out = tmp_path / "out"
    record = imported("voicebench", voicebench(tmp_path / "vb", "sd-qa", QUESTIONS, split="aus"), out)
    first, *_ = found = manifest(out)
    assert [line.text for line in found] == [f"Question {number}?" for number in range(4)]
    assert (first.id, first.audio) == ("sd-qa-aus-000000", "clips/sd-qa-aus-000000.flac")
    assert (first.answers, first.answer_rule) == (("answer 0",), "contains")
    assert (first.dataset, first.split, first.category) == ("hlt-lab/voicebench:sd-qa/aus", "aus", "aus")
    assert first.speaker_kind == "human" and first.licence.startswith("Apache-2.0")
    for number, line in enumerate(found):
        assert np.array_equal(samples(out / line.audio), tone(number)), "not a bit is changed"
    assert record == read_record(out) and record.counts is not None and record.counts.taken == 4
    corpus = load_corpus(str(out))
    assert len(corpus.utterances) == 4 and corpus.utterances[0].answer_rule == "contains"
    assert corpus.utterances[0].licence == first.licence


@pytest.mark.parametrize(
    ("subset", "reference", "rule", "answers"),
    [
        ("sd-qa", "Paris", "contains", ("Paris",)),
        ("openbookqa", "B", "choice", ("B",)),
        ("mmsu", "J", "choice", ("J",)),
        ("bbh", "(A)", "final", ("(A)",)),
        ("commoneval", None, None, ()),
        ("wildvoice", None, None, ()),
        ("alpacaeval", None, None, ()),
        ("alpacaeval_full", None, None, ()),
        ("advbench", None, None, ()),
        ("ifeval", None, None, ()),
    ],
)
def test_every_subset_of_voicebench_has_its_rule(
    tmp_path: Path, subset: str, reference: str | None, rule: str | None, answers: tuple[str, ...]
) -> None:
    row = {"audio": sound(1), "prompt": "Why?"} | ({"reference": reference} if reference else {})
    imported("voicebench", voicebench(tmp_path / "vb", subset, [row]), tmp_path / "out")
    (line,) = manifest(tmp_path / "out")
    assert (line.answer_rule, line.answers) == (rule, answers)


def test_mtbench_becomes_dialogues_of_which_the_first_turn_is_asked(tmp_path: Path) -> None:
    rows = [
        {"question_id": 80 + n, "category": "writing", "turns": ["One?", "Two?"], "reference": ["a", "b"]}
        | {"audio1": sound(n), "audio2": None if n == 2 else sound(n + 10)}
        for n in range(3)
    ]
    record = imported("voicebench", voicebench(tmp_path / "vb", "mtbench", rows), tmp_path / "out")
    found = manifest(tmp_path / "out")
    assert [(line.dialogue, line.turn, line.text) for line in found] == [
        ("80", 0, "One?"),
        ("80", 1, "Two?"),
        ("81", 0, "One?"),
        ("81", 1, "Two?"),
        ("82", 0, "One?"),
    ]
    assert record.wanted.answers == "" and not record.notices, "a reference to the last turn, which is not asked"
    assert record.counts is not None and record.counts.dialogues == 3 and found[0].category == "writing"
    corpus = load_corpus(str(tmp_path / "out"))
    assert [one.dialogue for one in corpus.utterances] == ["80", "81", "82"]
    assert "omitted: 2 later turns" in corpus.notices[-1]


def test_bbh_is_drawn_over_the_categories_in_its_ids(tmp_path: Path) -> None:
    rows = [{"audio": sound(n), "prompt": "?", "reference": "yes", "id": f"web_of_lies_{n}"} for n in range(3)]
    rows += [{"audio": sound(9), "prompt": "?", "reference": "no", "id": "navigate_1"}]
    record = imported("voicebench", voicebench(tmp_path / "vb", "bbh", rows), tmp_path / "out", take=2)
    assert {line.category for line in manifest(tmp_path / "out")} == {"web_of_lies", "navigate"}
    assert record.wanted.drawn_over == "categories"


def test_big_bench_audio_has_no_texts_and_final_answers(tmp_path: Path) -> None:
    """An MP3 is decoded once, so that its delay is in the corpus and the same in every run."""
    rows = [{"category": ("navigate", "web_of_lies")[n % 2], "official_answer": "Yes"} for n in range(4)]
    source = big_bench_audio(tmp_path / "bba", rows)
    imported("big-bench-audio", source, tmp_path / "out")
    found = manifest(tmp_path / "out")
    assert [(line.id, line.text, line.category, line.answers, line.answer_rule) for line in found[:2]] == [
        ("0", None, "navigate", ("Yes",), "final"),
        ("1", None, "web_of_lies", ("Yes",), "final"),
    ]
    assert found[0].licence == "MIT"
    stored = samples(tmp_path / "out" / found[0].audio)
    mp3 = source / "data/question_0.mp3"
    decoded = decoders.read(decoders.probe(mp3), 10 * RATE)[:, 0]
    assert np.array_equal(stored, np.rint(decoded * 2**15).astype(np.int16))
    assert abs(len(stored) - RATE) <= 2 * 1152, "the encoder's padding at most"


def test_what_cannot_be_used_is_left_out_counted_and_named(tmp_path: Path) -> None:
    loud = encoded(tone(1))
    rows = {
        "good": sound(1),
        "nothing": None,
        "elsewhere": {"bytes": None, "path": "/home/somebody/a.wav"},
        "long": {"bytes": encoded(tone(2, 2.0)), "path": None},
        "quiet": {"bytes": encoded(np.zeros(RATE // 2, np.int16)), "path": None},
        "page": {"bytes": b"<html>not found</html>", "path": "page.wav"},
        "cut": {"bytes": loud[: len(loud) // 2], "path": None},
        "same": sound(1),
        "empty": {"bytes": encoded(np.zeros(0, np.int16)), "path": None},
    }
    path = write_parquet(tmp_path / "a.parquet", [{"id": name, "audio": row} for name, row in rows.items()])
    record = imported("parquet", path, tmp_path / "out", longest_s=1.0)
    assert left_out(record) == {
        "no sound": ("nothing",),
        "null bytes, only a path": ("elsewhere",),
        "longer than --longest": ("long",),
        "silent": ("quiet",),
        "unreadable": ("page", "cut", "empty"),
        "duplicate": ("same",),
    }
    assert [line.id for line in manifest(tmp_path / "out")] == ["good"]
    assert {file.name for file in (tmp_path / "out/clips").iterdir()} == {"good.flac"}
    assert "8 of 9 recordings were left out" in record.notices[-1]
    printed = "\n".join(lines.written(record, tmp_path / "out"))
    assert "left out, duplicate: 1 (same; the first: has the same sound as good)" in printed
    assert "note: 8 of 9 recordings were left out" in printed


def test_up_to_five_per_cent_left_out_need_no_notice(tmp_path: Path) -> None:
    rows = [{"audio": sound(n)} for n in range(19)]
    path = write_parquet(tmp_path / "a.parquet", [*rows, {"audio": None}])
    assert not imported("parquet", path, tmp_path / "a").notices
    path = write_parquet(tmp_path / "b.parquet", [*rows[1:], {"audio": None}])
    assert "1 of 19 recordings were left out" in imported("parquet", path, tmp_path / "b").notices[0]


def test_if_nothing_is_left_the_reasons_are_given_and_nothing_is_written(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"audio": None}, {"audio": {"bytes": b"?", "path": None}}])
    with pytest.raises(CorpusError, match=r"no recording could be taken: 1 no sound, 1 unreadable"):
        imported("parquet", path, tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.parquet"]


def test_a_dialogue_ends_before_a_turn_that_cannot_be_used(tmp_path: Path) -> None:
    broken = {"bytes": b"?", "path": None}
    row = {"turns": ["a", "b", "c"], "audio1": sound(1), "audio2": broken, "audio3": sound(1)}
    path = write_parquet(tmp_path / "a.parquet", [row])
    record = imported("parquet", path, tmp_path / "out")
    assert left_out(record) == {"unreadable": ("000000-1",), "after a turn that was left out": ("000000-2",)}
    assert [line.turn for line in manifest(tmp_path / "out")] == [0]


def test_rates_channels_and_depths_are_kept_or_rounded_and_named(tmp_path: Path) -> None:
    stereo = np.stack([tone(1), tone(2)], axis=1)
    fine = (tone(3).astype(np.int32) << 16) + 300
    rows = [
        {"id": "stereo", "audio": {"bytes": encoded(stereo, rate=48_000), "path": None}},
        {"id": "fine", "audio": {"bytes": encoded(fine, subtype="PCM_24"), "path": None}},
        {"id": "quiet", "audio": {"bytes": encoded(tone(4) // 100), "path": None}},
    ]
    record = imported("parquet", write_parquet(tmp_path / "a.parquet", rows), tmp_path / "out")
    info = soundfile.info(tmp_path / "out/clips/stereo.flac")
    assert (info.samplerate, info.channels, info.subtype) == (48_000, 2, "PCM_16")
    assert np.array_equal(samples(tmp_path / "out/clips/stereo.flac"), stereo)
    assert np.array_equal(samples(tmp_path / "out/clips/fine.flac"), tone(3))
    assert np.array_equal(samples(tmp_path / "out/clips/quiet.flac"), tone(4) // 100), "nothing is made louder"
    assert record.counts is not None and record.counts.rounded == 1


def test_ids_become_safe_and_unique(tmp_path: Path) -> None:
    ids = ["../../etc/passwd", "a b", "a_b", "A_B", "", None, "x" * 300, ".hidden", "\u4e00", "nul\0l"]
    rows = [{"id": name, "audio": sound(number)} for number, name in enumerate(ids)]
    imported("parquet", write_parquet(tmp_path / "train.parquet", rows), tmp_path / "out")
    found = [line.id for line in manifest(tmp_path / "out")]
    assert found == [
        "etc_passwd",
        "a_b",
        "a_b-2",
        "A_B-3",
        "train-000004",
        "train-000005",
        "x" * 100,
        "hidden",
        "train-000008",
        "nul_l",
    ]
    assert {file.stem for file in (tmp_path / "out/clips").iterdir()} == set(found)


def test_speakers_are_hashed_with_a_salt_that_stays_in_the_folder(tmp_path: Path) -> None:
    rows = [{"audio": sound(n), "speaker_id": ("Ann", "Bob")[n % 2]} for n in range(4)]
    path = write_parquet(tmp_path / "a.parquet", rows)
    for out in ("one", "two"):
        imported("parquet", path, tmp_path / out)
    one, two = ([line.speaker for line in manifest(tmp_path / out)] for out in ("one", "two"))
    assert one[0] == one[2] != one[1] == one[3] and len(one[0]) == 12
    assert not set(one) & set(two), "another salt"
    for file in (tmp_path / "one").iterdir():
        assert file.is_dir() or "Ann" not in file.read_text()
    assert (tmp_path / "one" / SALT).read_text() not in (tmp_path / "one/manifest.jsonl").read_text()
    hashes = [load_corpus(str(tmp_path / out)).sha256 for out in ("one", "two")]
    assert hashes[0] == hashes[1], "it is the same corpus for everybody who imports it"


def test_take_draws_equal_shares_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n:02d}", "audio": sound(n), "speaker": "Ann" if n < 12 else f"S{n}", "category": "c"}
        for n in range(16)
    ]
    forwards = write_parquet(tmp_path / "f.parquet", rows)
    backwards = write_parquet(tmp_path / "b.parquet", rows[::-1])
    record = imported("parquet", forwards, tmp_path / "f", take=8)
    imported("parquet", backwards, tmp_path / "b", take=8)
    imported("parquet", forwards, tmp_path / "other", take=8, seed=1)
    first, same, other = ([line.id for line in manifest(tmp_path / name)] for name in ("f", "b", "other"))
    shares = Counter(line.speaker for line in manifest(tmp_path / "f"))
    assert sorted(shares.values()) == [1, 1, 1, 1, 4] and record.wanted.drawn_over == "speakers"
    assert first == sorted(first) and sorted(same) == first and sorted(other) != first


def test_what_is_left_out_is_replaced_by_what_is_drawn_next(tmp_path: Path) -> None:
    rows = [{"id": f"q{n}", "audio": sound(n) if n % 3 else None} for n in range(9)]
    record = imported("parquet", write_parquet(tmp_path / "a.parquet", rows), tmp_path / "out", take=6)
    assert record.counts is not None and record.counts.taken == 6
    assert sorted(line.id for line in manifest(tmp_path / "out")) == ["q1", "q2", "q4", "q5", "q7", "q8"]
    record = imported("parquet", tmp_path / "a.parquet", tmp_path / "more", take=7, longest_s=90)
    assert "6 of the 7 wanted could be taken." in record.notices
    assert "clips of more than 60 s can only be run with --trim-to." in record.notices


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.wav", "a/../../secret.wav", "x\0.wav"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "secret.wav").write_bytes(encoded(tone(1)))
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": name}) + "\n")
    with pytest.raises(CorpusError, match=r"metadata.jsonl:1: .* is not inside"):
        imported("audiofolder", folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["a.wav", "sub"])
def test_links_that_lead_out_are_refused(tmp_path: Path, link: str) -> None:
    folder, outside = tmp_path / "set", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "a.wav").write_bytes(encoded(tone(1)))
    (folder / link).symlink_to(outside / link if link == "a.wav" else outside)
    name = "a.wav" if link == "a.wav" else "sub/a.wav"
    (folder / "metadata.csv").write_text(f"file_name\n{name}\n")
    with pytest.raises(CorpusError, match="is a link to a file outside"):
        imported("audiofolder", folder, tmp_path / "out")


def test_a_sound_file_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.wav").write_bytes(encoded(tone(1)))
    (tmp_path / "set/metadata.csv").write_text('file_name,text\na.wav,"One\nline."\nb.wav,Two.\n')
    record = imported("audiofolder", tmp_path / "set", tmp_path / "out")
    assert left_out(record) == {"no sound": ("b",)} and manifest(tmp_path / "out")[0].text == "One\nline."


def test_the_columns_are_the_users_choice(tmp_path: Path) -> None:
    rows = [{"audio": sound(1), "question": "Who?", "text": "other", "keyword": ["Ann", "Bob"], "answer": "B"}]
    path = write_parquet(tmp_path / "a.parquet", rows)
    record = imported("parquet", path, tmp_path / "plain")
    (line,) = manifest(tmp_path / "plain")
    assert (line.text, line.answers, line.answer_rule) == (None, ("B",), "none"), "never judged without a rule"
    assert "columns text and question could be what is said" in record.notices[0]
    assert "answers (column answer) are stored but not judged" in record.notices[1]
    choice = Choice(text="question", answers="keyword", rule="contains")
    imported("parquet", path, tmp_path / "chosen", choice=choice)
    (line,) = manifest(tmp_path / "chosen")
    assert (line.text, line.answers, line.answer_rule) == ("Who?", ("Ann", "Bob"), "contains")
    with pytest.raises(UsageError, match=r"--text prompt: there is no such column. Columns: question, text, keyword"):
        imported("parquet", path, tmp_path / "x", choice=Choice(text="prompt"))
    with pytest.raises(UsageError, match=r"--answers keyword: also say when a reply is right, with --rule"):
        imported("parquet", path, tmp_path / "x", choice=Choice(answers="keyword"))
    record = imported("parquet", path, tmp_path / "letter", choice=Choice("question", "answer", "contains"))
    assert manifest(tmp_path / "letter")[0].answers == ()
    assert "1 recording with answers that the rule `contains` cannot judge" in record.notices[-1]


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"audio": sound(n)} for n in range(3)])
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("precious")
    for again in (False, True):
        with pytest.raises(UsageError, match=r"already exists|is no imported corpus"):
            imported("parquet", path, out, again=again)
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part/mine").write_text("precious")
    with pytest.raises(UsageError, match=r"new.part is in the way, and no interrupted import"):
        imported("parquet", path, tmp_path / "new")
    assert (out / "mine").read_text() == (tmp_path / "new.part/mine").read_text() == "precious"


def test_an_import_can_be_repeated_but_not_changed(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"audio": sound(n), "speaker": "Ann"} for n in range(3)])
    out = tmp_path / "out"
    imported("parquet", path, out)
    before = {file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    (out / ESTIMATES).write_text('{"id": "a-000000", "sha256": "0", "ends_ms": {"level": 250.0}}\n')
    (out / "clips/a-000000.flac").unlink()
    with pytest.raises(UsageError, match=r"already exists. .*or repeat its import with --again"):
        imported("parquet", path, out)
    with pytest.raises(UsageError, match=r"was imported differently \(take, drawn_over\)"):
        imported("parquet", path, out, again=True, take=2)
    shutil.copytree(out, tmp_path / "out.old")  # as if the last repetition had been killed while it put this in place
    imported("parquet", path, out, again=True)
    after = {file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert after.pop(ESTIMATES) and after == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.parquet", "out"]


def test_a_killed_import_leaves_no_corpus_and_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"audio": sound(n)} for n in range(3)])
    store = taking.store

    def killed(*given: Any) -> Any:
        if (tmp_path / "out.part/clips/a-000000.flac").exists():
            raise KeyboardInterrupt
        return store(*given)

    monkeypatch.setattr(taking, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        imported("parquet", path, tmp_path / "out")
    assert not (tmp_path / "out").exists() and (tmp_path / "out.part").exists()
    monkeypatch.undo()
    imported("parquet", path, tmp_path / "out")
    assert len(load_corpus(str(tmp_path / "out")).utterances) == 3 and not (tmp_path / "out.part").exists()


def test_the_command_prints_what_it_takes_and_what_it_took(tmp_path: Path) -> None:
    source = voicebench(tmp_path / "vb", "sd-qa", [*QUESTIONS, {"audio": None, "prompt": "?", "reference": "x"}])
    done = here("corpus", "import", "voicebench", source, "-o", tmp_path / "out", "--take", "3", "--seed", "1")
    assert done.returncode == 0, done.stderr
    set_, licence, text, answers, taken, *_, next_step = done.stdout.splitlines()
    assert set_.startswith("data set: hlt-lab/voicebench:sd-qa/test (voicebench), revision sha256:")
    assert set_.endswith(": 5 recordings; 3 wanted, drawn over categories, seed 1")
    assert licence.startswith("licence: Apache-2.0") and text == "text: column prompt"
    assert answers.startswith("answers: column reference, rule `contains`: the reply contains the words of")
    assert taken == f"3 recordings, 0.9 s, in {tmp_path / 'out'}"
    assert next_step.endswith(f"bench corpus check {tmp_path / 'out'}")
    record = read_record(tmp_path / "out")
    assert record is not None and record.command[:4] == ("bench", "corpus", "import", "voicebench")
    again = here("corpus", "import", "voicebench", source, "-o", tmp_path / "out")
    assert again.returncode == 2 and "already exists" in again.stderr and not again.stdout


def test_the_licence_is_shown_before_anything_is_written(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "set/data/a-00000-of-00001.parquet", [{"audio": sound(1)}]).parent.parent
    shown = "\n".join(lines.planned(prepare(Request("parquet", path, tmp_path / "out"))))
    assert "licence: none stated, as there is no card that states one; without a licence nobody may pass" in shown
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()
    (path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A set\n")
    shown = "\n".join(lines.planned(prepare(Request("parquet", path, tmp_path / "out"))))
    assert "licence: cc-by-nc-4.0, as its README.md states; not for commercial use" in shown
    shown = "\n".join(lines.planned(prepare(Request("parquet", path, tmp_path / "out", licence="CC0-1.0"))))
    assert "licence: CC0-1.0, as --licence says\n" in shown


def test_a_card_that_disagrees_with_what_is_known_is_named(tmp_path: Path) -> None:
    source = voicebench(tmp_path / "vb", "commoneval", QUESTIONS)
    (source / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    (notice,) = (each for each in prepare(Request("voicebench", source, tmp_path / "out")).notices if "licence" in each)
    assert "states the licence cc-by-nc-4.0, which is not the one known of the data set" in notice
    (source / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert not any("licence" in each for each in prepare(Request("voicebench", source, tmp_path / "out")).notices)


def test_a_subset_and_a_split_are_chosen_by_name(tmp_path: Path) -> None:
    for subset, split in (("commoneval", "test"), ("sd-qa", "aus"), ("sd-qa", "usa")):
        source = voicebench(tmp_path / "vb", subset, QUESTIONS, split)
    with pytest.raises(UsageError, match=r"has several subsets. Choose one with --subset: commoneval, sd-qa"):
        prepare(Request("voicebench", source, tmp_path / "out"))
    with pytest.raises(UnknownName, match=r"Unknown subset 'sdqa'. Did you mean 'sd-qa'"):
        prepare(Request("voicebench", source, tmp_path / "out", subset="sdqa"))
    with pytest.raises(UnknownName, match=r"Unknown split 'us'"):
        prepare(Request("voicebench", source, tmp_path / "out", subset="sd-qa", split="us"))
    plan = prepare(Request("voicebench", source, tmp_path / "out", subset="sd-qa", split="usa"))
    assert (plan.wanted.subset, plan.wanted.splits, len(plan.candidates)) == ("sd-qa", ("usa",), 4)
    inside = prepare(Request("voicebench", source / "sd-qa", tmp_path / "out"))
    assert inside.wanted.subset == "sd-qa" and inside.wanted.answer_rule == "contains"


def test_what_is_not_there_is_downloaded_by_the_user(tmp_path: Path) -> None:
    missing = tmp_path / "vb"
    line = f'hf download hlt-lab/voicebench --repo-type dataset --include "commoneval/*" --local-dir {missing}'
    with pytest.raises(UsageError) as error:
        prepare(Request("voicebench", missing, tmp_path / "out", subset="commoneval"))
    assert f"no such file or folder. Download the data set with: {line}" in str(error.value)
    with pytest.raises(UsageError, match=r"hf download ArtificialAnalysis/big_bench_audio --repo-type dataset --local"):
        prepare(Request("big-bench-audio", missing, tmp_path / "out"))
    with pytest.raises(UsageError, match=r"no such file or folder. Check the path"):
        prepare(Request("parquet", missing, tmp_path / "out"))


@pytest.mark.parametrize(
    ("kind", "file"),
    [("spoken-squad", ""), ("auto", "spoken_test-v1.1.json"), ("audiofolder", "Chat_meta.json"), ("AIR_Bench", "")],
)
def test_sets_without_spoken_questions_are_refused(tmp_path: Path, kind: str, file: str) -> None:
    if file:
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / file).write_text("[]")
    why = "In Spoken-SQuAD the document is spoken, in AIR-Bench chat the sound is; the question is text in both"
    with pytest.raises(CorpusError, match=why):
        prepare(Request(kind, tmp_path / "set", tmp_path / "out"))


def test_auto_takes_the_one_kind_that_fits(tmp_path: Path) -> None:
    rows = [{"category": "navigate", "official_answer": "Yes"}]
    found = {
        prepare(Request("auto", source, tmp_path / "out")).kind.name
        for source in (
            voicebench(tmp_path / "vb", "commoneval", QUESTIONS),
            big_bench_audio(tmp_path / "bba", rows),
            write_parquet(tmp_path / "set/a.parquet", [{"audio": sound(1)}]).parent,
        )
    }
    assert found == {"voicebench", "big-bench-audio", "parquet"}
    shutil.copy(tmp_path / "set/a.parquet", tmp_path / "bba")
    with pytest.raises(UsageError, match=r"could be parquet or big-bench-audio. Name the kind"):
        prepare(Request("auto", tmp_path / "bba", tmp_path / "out"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"is nothing known"):
        prepare(Request("auto", tmp_path / "none", tmp_path / "out"))
    with pytest.raises(UnknownName, match=r"Unknown kind of data set 'voicebenhc'. Did you mean 'voicebench'"):
        prepare(Request("voicebenhc", tmp_path / "vb", tmp_path / "out"))
