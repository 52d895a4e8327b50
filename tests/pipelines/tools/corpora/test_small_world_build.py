"""Recipes of questions to data: the same bytes twice, voices by split, parts, and the errors for wrong recipes."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.manifest import ManifestLine, read_manifest
from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.tools.corpora import command
from firstpacket.pipelines.tools.corpora.build import build
from firstpacket.pipelines.tools.corpora.instructions import Instructions, decode_instructions, identities, texts
from firstpacket.pipelines.tools.corpora.plan import draw_take, draw_takes
from firstpacket.pipelines.tools.corpora.recipe import read_toml

pytest.importorskip("soundfile")
needs_voices = pytest.mark.skipif(
    shutil.which("flite") is None or find_spec("espeakng_loader") is None, reason="needs flite and espeakng-loader"
)
SMALL_WORLD = Path(__file__).parents[4] / "datasets" / "small-world"

RECIPE = """
language = "en"
[questions]
source = "pairs.json"
seed = 1
test = 0.25
validation = 0.25
takes = { train = 2, validation = 1, test = 1 }
[room]
peak_dbfs = [-18.0, -3.0]
snr_db = [20.0, 40.0]
lead_ms = [40.0, 300.0]
tail_ms = [150.0, 400.0]
speech_above_db = -40.0
[[voices]]
split = "train"
engine = "espeak"
licence = "L"
resample = [0.9, 1.1]
options = { tts-voice = ["en-us", "en-us+m1"], tts-speed = [150, 190] }
[[voices]]
split = "validation"
engine = "espeak"
licence = "L"
options = { tts-voice = ["en-us+m6"] }
[[voices]]
split = "test"
engine = "flite"
licence = "F"
options = { voice = ["slt"], duration_stretch = [0.9, 1.1] }
[answers]
engine = "espeak"
licence = "L"
options = { tts-voice = "en" }
[answers.room]
peak_dbfs = [-6.0, -6.0]
snr_db = [60.0, 60.0]
lead_ms = [60.0, 60.0]
tail_ms = [120.0, 120.0]
speech_above_db = -40.0
"""


def recipe(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    pairs = [{"question": f"Is {name} a name?", "response": f"{name} is."} for name in ("Tom", "Ann", "Bob", "Eve")]
    (folder / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
    path = folder / "recipe.toml"
    assert change[0] in RECIPE
    path.write_text(RECIPE.replace(*change, 1), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    assert build(recipe(folder), folder / "out") == 6
    return folder / "out"


def lines(folder: Path) -> list[ManifestLine]:
    return [entry.line for entry in read_manifest(folder / "manifest.jsonl")]


def jsonl(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@needs_voices
def test_data_are_whole(built: Path) -> None:
    assert [line.split for line in lines(built)].count("train") == 4
    assert {(line.split, line.voice) for line in lines(built) if line.split != "train"} == {
        ("validation", "espeak en-us+m6"),
        ("test", "flite slt"),
    }
    written = jsonl(built / "texts.jsonl")
    assert {(text["question"], text["response"], text["split"]) for text in written} == {
        (line.text, line.answers[0], line.split) for line in lines(built)
    }
    answers = jsonl(built / "answers.jsonl")
    assert sorted(answer["text"] for answer in answers) == ["Ann is.", "Bob is.", "Eve is.", "Tom is."]
    assert all(len(read_clip(built / answer["audio"]).samples) > 0.4 * SAMPLE_RATE for answer in answers)


@needs_voices
def test_speech_is_where_the_manifest_says(built: Path) -> None:
    for one, line in zip(load_corpus(str(built)).utterances, lines(built), strict=True):
        assert line.speech_start_ms is not None and line.speech_end_ms is not None
        start, end = (round(ms * SAMPLE_RATE / 1000) for ms in (line.speech_start_ms, line.speech_end_ms))
        inside, outside = one.samples[start:end], np.concatenate((one.samples[:start], one.samples[end + 400 :]))
        assert 10 ** (-18.5 / 20) < np.abs(inside).max() < 10 ** (-2.5 / 20)
        snr_db = 20 * np.log10(np.std(inside) / np.std(outside))
        assert 16 < snr_db < 42, "pauses within the speech count as speech here"


@needs_voices
def test_the_same_recipe_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build(recipe(tmp_path), tmp_path / "out")
    first, second = (
        {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (built, tmp_path / "out")
    )
    assert first == second and len(first) == 3 + 6 + 4


@needs_voices
def test_a_part_by_the_command(tmp_path: Path) -> None:
    where = [str(recipe(tmp_path)), "-o", str(tmp_path / "out"), "--split", "test", "--limit", "1"]
    done = CliRunner().invoke(command, ["build", *where])
    assert done.exit_code == 0, done.output
    assert "1 recording in" in done.stdout and "1 of 1 clip" in done.stderr
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["clips", "manifest.jsonl"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("test = 0.25", "test = 0.75"), r"\[questions\] is out of range"),
        (("train = 2", "train = 101"), r"takes are 0 to 100"),
        (("[20.0, 40.0]", "[40.0, 20.0]"), r"\[room\] is out of range"),
        (("[120.0, 120.0]", "[120.0, 1e9]"), r"\[answers.room\] is out of range"),
        (('["slt"]', "[]"), r"voice = \[\]: give a list of texts, or two numbers"),
        (("[150, 190]", "[190, 150]"), r"tts-speed = \[190, 150\]: give a list of texts, or two numbers"),
        (("[0.9, 1.1]", "[0.1, 1.1]"), "resample from 0.5 to 2"),
        (('["en-us+m6"]', '["en-us+m1"]'), r"espeak en-us\+m1 is in train and in validation"),
        (('split = "test"', 'split = "train"'), "the split test has no voice"),
        (('split = "test"', 'split = "all"'), "expected one of train, validation, test, found text 'all'"),
        (("seed = 1\n", ""), "field 'seed' is missing"),
    ],
)
def test_a_wrong_recipe(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        build(recipe(tmp_path, change), tmp_path / "out")


@needs_voices
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('engine = "flite"', 'engine = "flight"'), "'flight'"),
        (('["slt"]', '["stl"]'), "Unknown voice of flite 'stl'"),
        (("duration_stretch = [", "Duration = ["), "Duration = .* is not a feature"),
        (('["en-us+m6"]', '["none"]'), "Unknown voice of espeak-ng .*'none'"),
    ],
)
def test_a_voice_that_fails_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    split = "validation" if "m6" in change[0] else "test"
    with pytest.raises(CorpusError, match=message):
        build(recipe(tmp_path, change), tmp_path / "out", split)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_parts_are_of_questions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--split and --limit are for recipes with"):
        build(SMALL_WORLD.parent / "demo" / "recipe.toml", tmp_path, limit=3)


@pytest.fixture(scope="module")
def plan() -> Instructions:
    path = SMALL_WORLD / "recipe.toml"
    return decode_instructions(read_toml(path), path)


def test_the_recipe_of_the_small_world(plan: Instructions) -> None:
    said = draw_takes(plan, texts(plan, SMALL_WORLD))
    count = {split: sum(text.split == split for text in said.values()) for split in ("train", "validation", "test")}
    assert count["train"] >= 10_000 and count["validation"] >= 400 and count["test"] >= 600
    test = {who for voices in plan.voices if voices.split == "test" for who in identities(voices)}
    heard = [draw_take(plan, name, said[name]) for name in list(said)[::50]]
    assert {one.voice for one in heard if one.id.startswith("test")} <= {" ".join(who) for who in test}
    assert len({one.voice for one in heard if one.id.startswith("train")}) > 20
    assert all(0.9 <= one.resample <= 1.25 and 20 <= one.snr_db <= 40 for one in heard)


def test_the_small_corpus_is_of_its_recipe(plan: Instructions) -> None:
    corpus = load_corpus("small-world")
    known = {text.question: text for text in texts(plan, SMALL_WORLD)}
    assert len(corpus.utterances) == 40
    for line in lines(SMALL_WORLD):
        assert line.text is not None and line.split == known[line.text].split == "test"
        assert line.answers == (known[line.text].response,)
    assert {known[line.text or ""].topic for line in lines(SMALL_WORLD)} == {text.topic for text in known.values()}
    assert len({line.voice for line in lines(SMALL_WORLD)}) == 5
    assert {f"clips/{file.name}" for file in (SMALL_WORLD / "clips").iterdir()} == {
        line.audio for line in lines(SMALL_WORLD)
    }
    assert sum(file.stat().st_size for file in SMALL_WORLD.rglob("*") if file.is_file()) < 3 * 2**20
