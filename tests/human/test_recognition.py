"""Words of human speech: a stock recogniser on recordings with texts. Synthetic voices say little about real ones."""

from __future__ import annotations

import pytest
from support.human import human_corpus, word_error_rate

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx

pytest.importorskip("soundfile")
pytest.importorskip("pocketsphinx")

CLIPS = {"cards": 5, "LibriVox": 2}
"""Clips of each voice: some seconds of decoding. `make bench` hears them all, the telephone prompts included."""


@pytest.fixture(scope="module")
def word_error_rates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """By voice, of the default cascade's recogniser."""
    corpus = load_corpus(str(human_corpus(tmp_path_factory.mktemp("human"), texts_only=True)))
    recogniser = PocketSphinx(Settings(options={"asr-fast": True, "asr-streaming": "off"}))
    recogniser.load()
    by_voice = {voice: [one for one in corpus.utterances if one.id.startswith(voice)][:n] for voice, n in CLIPS.items()}
    return {voice: word_error_rate(recogniser, clips) for voice, clips in by_voice.items()}


def test_a_reader_of_audiobooks_is_understood_in_the_main(word_error_rates: dict[str, float]) -> None:
    assert 0 < word_error_rates["LibriVox"] < 0.5


def test_short_phrases_at_a_desk_are_understood(word_error_rates: dict[str, float]) -> None:
    assert word_error_rates["cards"] < 0.2
