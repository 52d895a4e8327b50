"""Recipes to corpora: exact ends, the same bytes twice, and the error for each wrong recipe."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.errors import CorpusError, MissingDependency, UnknownName
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.tools.corpora import command
from firstpacket.pipelines.tools.corpora.build import build
from firstpacket.pipelines.tools.corpora.postprocess import finish
from firstpacket.pipelines.tools.corpora.recipe import Finish, read_recipe

pytest.importorskip("soundfile")
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed: apt-get install flite")
needs_espeak = pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed")

HOW = Finish(peak_dbfs=-6, lead_ms=100, tail_ms=300, noise_dbfs=-70, speech_above_db=-40, seed=1)
RECIPE = """
language = "en"
[finish]
peak_dbfs = -6.0
lead_ms = 100
tail_ms = 300
noise_dbfs = -70.0
speech_above_db = -40.0
seed = 1
[voices.one]
engine = "ENGINE"
name = "NAME"
licence = "L"
[[sentences]]
id = "hello"
voice = "one"
text = "Hello, what time is it?"
"""


def recipe(folder: Path, engine: str = "flite", name: str = "slt", text: str = RECIPE) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text.replace("ENGINE", engine).replace("NAME", name), encoding="utf-8")
    return path


def test_finishing_puts_speech_where_it_says() -> None:
    spoken = np.zeros(SAMPLE_RATE, np.float32)
    spoken[2000:9001] = 0.2 * np.sin(np.arange(7001) / 3 + 1)
    spoken[9001:] = 0.0005
    clip, start, end = finish(spoken, HOW, "a")
    assert (start, end, len(clip)) == (1600, 1600 + 7001, 1600 + 7001 + 4800)
    assert clip.dtype == np.float32 and np.abs(clip).max() == pytest.approx(10 ** (-6 / 20), rel=0.01)
    assert np.abs(clip[:1600]).max() < 0.003 and np.abs(clip[end + 320 :]).max() < 0.003
    assert np.std(clip[end + 320 :]) == pytest.approx(10 ** (-70 / 20), rel=0.1)


def test_noise_depends_on_name_and_seed_alone() -> None:
    spoken = np.ones(1600, np.float32)
    first, again, other = (finish(spoken, HOW, name)[0] for name in ("a", "a", "b"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_voice_without_output_is_an_error() -> None:
    for spoken in (np.zeros(100, np.float32), np.zeros(0, np.float32)):
        with pytest.raises(CorpusError, match=r"'a': the voice produced no sound\. Change the text or the voice"):
            finish(spoken, HOW, "a")


@pytest.mark.parametrize(
    ("engine", "name"),
    [pytest.param("flite", "slt", marks=needs_flite), pytest.param("espeak-ng", "en-us", marks=needs_espeak)],
)
def test_building_twice_gives_the_same_bytes(tmp_path: Path, engine: str, name: str) -> None:
    path = recipe(tmp_path, engine, name, RECIPE + RECIPE[RECIPE.index("[[") :].replace("hello", "again"))
    contents = []
    for out in (tmp_path / "first", tmp_path / "second"):
        assert build(path, out) == 2
        contents.append({file.name: file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()})
    assert contents[0] == contents[1] and set(contents[0]) == {"manifest.jsonl", "hello.flac", "again.flac"}
    (hello, _) = load_corpus(str(tmp_path / "first")).utterances
    assert hello.text == "Hello, what time is it?" and hello.voice == f"{engine} {name}" and hello.licence == "L"
    assert hello.duration_ms - hello.speech_end_ms == pytest.approx(300) and hello.speech_end_ms > 800


@needs_flite
def test_the_command_builds(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["build", str(recipe(tmp_path)), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.output == f"1 recording in {tmp_path / 'out'}\n"


@needs_flite
def test_flite_would_take_another_voice_silently(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Unknown voice of flite 'stl'\. Did you mean 'slt'\?"):
        build(recipe(tmp_path, name="stl"), tmp_path / "out")


@needs_espeak
def test_an_unknown_voice_of_espeak(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"Unknown voice of espeak-ng .*'none'"):
        build(recipe(tmp_path, "espeak-ng", "none"), tmp_path / "out")


def test_flite_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency, match="apt-get install flite"):
        build(recipe(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"Cannot write to .*Choose another folder with -o"):
        build(recipe(tmp_path), tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("language =", "langage ="), CorpusError, "unknown field 'langage'"),
        (("seed = 1", ""), CorpusError, "field 'seed' is missing"),
        (("= 300", "= 300 ms"), CorpusError, "is not a valid recipe"),
        (("= 300", "= -300"), CorpusError, r"\[finish\] is out of range"),
        (("-70.0", "nan"), CorpusError, "expected a finite number, found nan"),
        (("-6.0", "6.0"), CorpusError, r"\[finish\] is out of range"),
        (("ENGINE", "festival"), CorpusError, "expected one of flite, espeak-ng, found text 'festival'"),
        (('"hello"', '"../hello"'), CorpusError, r"'\.\./hello' is a duplicate or not a valid file name"),
        (('voice = "one"', 'voice = "two"'), UnknownName, "Unknown voice 'two'.* used by 'hello'"),
    ],
)
def test_a_wrong_recipe(tmp_path: Path, change: tuple[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_recipe(recipe(tmp_path, text=RECIPE.replace(*change)))


def test_a_recipe_without_sentences_and_one_that_is_not_there(tmp_path: Path) -> None:
    empty = "sentences = []\n" + RECIPE[: RECIPE.index("[[")]
    with pytest.raises(CorpusError, match=r"has no sentences\. Add \[\[sentences\]\]"):
        read_recipe(recipe(tmp_path, text=empty))
    with pytest.raises(CorpusError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
