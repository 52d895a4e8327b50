"""Ends of speech in human recordings: the detectors against ends that were checked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.human import human_corpus

from firstpacket.bench.corpus.estimates import FAR_APART_MS, spread_ms
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.speech_end import estimate_speech_end, estimate_speech_end_ms
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.pipelines.tools.corpora.second_detectors import second_detector

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Utterance, ...]:
    return load_corpus(str(human_corpus(tmp_path_factory.mktemp("human")))).utterances


@pytest.fixture(scope="module")
def errors_ms(clips: tuple[Utterance, ...]) -> npt.NDArray[np.float64]:
    """The level detector's errors, shape `(clips,)`: above 0 where it found the end too late."""
    return np.array([(estimate_speech_end_ms(clip.samples) or 0.0) - clip.speech_end_ms for clip in clips])


def test_at_least_50_clips_were_checked(clips: tuple[Utterance, ...]) -> None:
    assert len(clips) >= 50


def test_the_typical_estimate_is_within_40_ms(errors_ms: npt.NDArray[np.float64]) -> None:
    assert np.median(np.abs(errors_ms)) <= 40


def test_few_estimates_are_wrong_by_more_than_100_ms(errors_ms: npt.NDArray[np.float64]) -> None:
    assert np.mean(np.abs(errors_ms) > 100) <= 0.2


def test_a_wrong_estimate_is_flagged(clips: tuple[Utterance, ...], errors_ms: npt.NDArray[np.float64]) -> None:
    """Wherever the level detector is wrong by more than 100 ms, it is in doubt, or the second one disagrees."""
    _, find = second_detector()
    for clip, error_ms in zip(clips, errors_ms, strict=True):
        if abs(error_ms) > 100:
            found = estimate_speech_end(clip.samples)
            assert found is not None
            assert found.doubtful or spread_ms(found.ms, {"second": find(clip.samples)}) > FAR_APART_MS, clip.id


def test_a_corpus_without_annotated_ends_is_measured_from_the_estimates(tmp_path: Path) -> None:
    human_corpus(tmp_path)
    (tmp_path / "manifest.jsonl").unlink()
    clip = load_corpus(str(tmp_path), limit=1).utterances[0]
    assert (clip.speech_end_source, clip.speech_end_ms) == ("estimated", estimate_speech_end_ms(clip.samples))
