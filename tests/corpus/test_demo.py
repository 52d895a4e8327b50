"""The corpus that comes with the project is what its README says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.manifest import read_manifest
from firstpacket.bench.corpus.utterance import Corpus
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.tools.corpora.recipe import read_recipe

pytest.importorskip("soundfile")
DATASETS = Path(__file__).parents[2] / "datasets"


@pytest.fixture(scope="module")
def demo() -> Corpus:
    return load_corpus("demo")


def test_demo_is_listed_with_a_description() -> None:
    (listing,) = [one for one in list_corpora() if one.name == "demo"]
    assert listing.folder == DATASETS / "demo"
    assert "questions and requests to a voice assistant" in listing.description


def test_lengths_voices_and_size(demo: Corpus) -> None:
    seconds = [one.speech_end_ms / 1000 for one in demo.utterances]
    assert len(demo.utterances) >= 24 and min(seconds) < 1.2 and 9 < max(seconds) <= 12
    assert len({one.voice for one in demo.utterances}) >= 5
    assert all(one.text and one.licence for one in demo.utterances)
    assert sum(file.stat().st_size for file in (DATASETS / "demo").rglob("*")) < 4 * 2**20


def test_every_end_of_speech_is_known_and_followed_by_silence(demo: Corpus) -> None:
    assert demo.notices == ()
    assert {one.speech_end_source for one in demo.utterances} == {"annotated"}
    for one in demo.utterances:
        end = round(one.speech_end_ms * SAMPLE_RATE / 1000)
        assert np.abs(one.samples[end - 160 : end]).max() > 0.003, one.id
        assert np.abs(one.samples[end + 400 :]).max() < 0.003, one.id
        assert len(one.samples) - end == 300 * SAMPLE_RATE // 1000


def test_manifest_and_recipe_agree() -> None:
    recipe = read_recipe(DATASETS / "demo" / "recipe.toml")
    lines = [entry.line for entry in read_manifest(DATASETS / "demo" / "manifest.jsonl")]
    assert [(line.id, line.text) for line in lines] == [(one.id, one.text) for one in recipe.sentences]
    assert all(line.sha256 for line in lines)


def test_no_clip_is_left_over() -> None:
    named = {entry.audio for entry in read_manifest(DATASETS / "demo" / "manifest.jsonl")}
    assert named == set((DATASETS / "demo" / "clips").iterdir())


def test_datasets_contain_no_python() -> None:
    assert not list(DATASETS.rglob("*.py")), "a package called datasets would shadow Hugging Face's"
