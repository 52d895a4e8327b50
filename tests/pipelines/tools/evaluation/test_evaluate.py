"""The command on a small world: an ordinary run of one split, and the files it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firstpacket.bench.errors import CorpusError, RunError
from firstpacket.bench.options import parse_pipeline
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.tools.evaluation.asking import Asked
from firstpacket.pipelines.tools.evaluation.evaluate import evaluate
from firstpacket.pipelines.tools.evaluation.questions import read_exam
from firstpacket.pipelines.tools.evaluation.voice import answer_voice
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge

SPLITS = ["train"] * 3 + ["test"] * 4


def write_jsonl(path: Path, *lines: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips, four of them of the split test; one of those repeats a training question in capitals."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "clips").mkdir()
    for number in range(len(SPLITS)):
        noise = 0.1 * np.random.default_rng(number).standard_normal(4000)
        soundfile.write(folder / "clips" / f"{number}.flac", noise, 16_000)
    asked = [f"question {number}" for number in range(6)] + ["QUESTION 0"]
    said = ["one", "one", "two", "one", "three", "three", "two"]
    rows = list(zip(range(7), SPLITS, asked, said, strict=True))
    write_jsonl(folder / "manifest.jsonl", *(
        {"id": f"c{n}", "audio": f"clips/{n}.flac", "text": text, "answers": [answer], "split": split,
         "voice": "ab"[n % 2], "speech_end_ms": 250}
        for n, split, text, answer in rows
    ))  # fmt: skip
    write_jsonl(folder / "texts.jsonl", *(
        {"question": text, "response": answer, "split": split, "topic": "t"} for _, split, text, answer in rows
    ))  # fmt: skip
    write_jsonl(folder / "answers.jsonl", *({"text": f"{n}", "audio": f"clips/{n}.flac"} for n in range(7)))
    return folder


def asked(data: Path, *labels: str, limit: int | None = None) -> Asked:
    choices = tuple(parse_pipeline(f"{label}=scripted,script=hear; packet 100") for label in labels)
    return Asked(data, "test", limit, 0, choices, "cpu")


def test_an_exam_is_one_split_and_marks_new_texts_and_answers(data: Path) -> None:
    exam = read_exam(data, "test")
    assert [question.clip for question in exam.questions] == ["c3", "c4", "c5", "c6"]
    assert [question.new_text for question in exam.questions] == [True, True, True, False]
    assert [question.new_answer for question in exam.questions] == [False, True, True, False]
    assert exam.trained_answers == {"one": 2, "two": 1}
    assert len(read_exam(data, "test", limit=2).questions) == 2
    assert read_exam(data, "test", limit=2, seed=5) == read_exam(data, "test", limit=2, seed=5)
    with pytest.raises(CorpusError, match="no clip in the split 'exam'"):
        read_exam(data, "exam")


def test_every_clip_is_measured_once_and_figures_are_written(data: Path, tmp_path: Path) -> None:
    """Scripted labels say nothing in words: none is right, and nothing is hidden about it."""
    written = evaluate(asked(data, "one", "two"), tmp_path, "none", None, ("bench", "evaluate"))
    found = json.loads((tmp_path / written.json).read_text())
    assert (found["clips"], found["voices"], found["texts"], found["new_texts"]) == (4, 2, 4, 3)
    assert [label["right"]["n"] for label in found["labels"]] == [4, 4]
    assert [label["right"]["value"] for label in found["labels"]] == [0.0, 0.0]
    assert found["commonest"]["answer"] == "one" and found["commonest"]["right"]["value"] == 1 / 4
    assert found["best_constant"]["right"]["value"] == 2 / 4
    assert found["labels"][0]["outcomes"] == {"answered": 4}
    tables = (tmp_path / written.tables).read_text().replace("\\", "")
    assert "| two | 0.0 % [0.0, 60.2] | 0 | none |" in tables
    assert "| two | 0.0 points [-49.0, 49.0] | 0 | 0 | 1 |" in tables
    assert "4 clips of the split `test`: 4 texts, 2 voices; the texts of 3 clips were never trained on" in tables
    assert not list(data.glob("*.tmp")) and "data/clips/3.flac" in (tmp_path / "corpus" / "manifest.jsonl").read_text()
    before = len((tmp_path / "run" / "turns.jsonl").read_text().splitlines())
    evaluate(asked(data, "one", "two"), tmp_path, "none", None, ("bench", "evaluate"))
    turns = [json.loads(line) for line in (tmp_path / "run" / "turns.jsonl").read_text().splitlines()]
    assert sum(turn["phase"] == "measured" for turn in turns) == 8 and len(turns) >= before
    with pytest.raises(RunError, match="other clips or labels"):
        evaluate(asked(data, "one", "three"), tmp_path, "none", None, ("bench",))
    with pytest.raises(RunError, match="other clips or labels"):
        evaluate(asked(data, "one", "two", limit=3), tmp_path, "none", None, ("bench",))


def test_the_reference_voice_is_transcribed_once(data: Path, tmp_path: Path) -> None:
    """A recogniser that always returns `zero` transcribes each recording once, over two calls."""
    from firstpacket.bench.pipeline import Settings, Speech
    from firstpacket.bench.timing.trace import Trace
    from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx

    calls: list[int] = []

    class Zero(ASR):
        declaration = PocketSphinx.declaration

        def load(self) -> None: ...

        def transcribe(self, speech: Speech, trace: Trace) -> str:
            calls.append(len(speech.whole()))
            return "zero"

    judge = RecogniserJudge(Zero(Settings("cpu", "float32", 0, {})), {}, {})
    first = answer_voice(data, ["0", "1", "1", "not recorded"], judge, tmp_path)
    assert first.rate is not None and (first.rate.value, first.rate.n, len(calls)) == (1 / 2, 2, 2)
    (tmp_path / "answer-voice.jsonl").open("a").write('{"text": "torn')
    again = answer_voice(data, ["0", "1", "2"], judge, tmp_path)
    assert again.rate is not None and (again.rate.value, len(calls)) == (2 / 3, 3)
