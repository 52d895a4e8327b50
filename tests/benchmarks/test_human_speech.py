"""Human recordings: how well ends of speech are found, and how many words a stock recogniser gets wrong, by voice.

`make bench` prints both tables; they stand in docs/evidence.md. The recordings are those of `support.human`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.human import human_corpus, word_error_rate

from firstpacket.bench.corpus.estimates import FAR_APART_MS
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.speech_end import estimate_speech_end_ms
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx
from firstpacket.pipelines.tools.corpora.second_detectors import second_detector

pytest.importorskip("soundfile")
pytest.importorskip("pocketsphinx")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line past pytest's capture."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return line


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Utterance, ...]:
    return load_corpus(str(human_corpus(tmp_path_factory.mktemp("human")))).utterances


def test_speech_ends(clips: tuple[Utterance, ...], benchmark: BenchmarkFixture, say: Callable[[str], None]) -> None:
    """One line for each voice and for all: errors in ms of the level detector and of the second one."""
    name, find = second_detector()
    true_ms = np.array([clip.speech_end_ms for clip in clips])
    level = benchmark.pedantic(
        lambda: np.array([estimate_speech_end_ms(clip.samples) or 0.0 for clip in clips]) - true_ms
    )
    second = np.array([find(clip.samples) or 0.0 for clip in clips]) - true_ms
    flagged = np.abs(level - second) > FAR_APART_MS
    for voice, chosen in (*_by_voice(clips).items(), ("all", list(range(len(clips))))):
        say(
            f"{voice}, {len(chosen)} clips: level {_errors(level[chosen])}; {name} {_errors(second[chosen])};"
            f" {np.mean(flagged[chosen]):.0%} flagged"
        )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("streaming", ["native", "off"])
def test_word_errors(
    clips: tuple[Utterance, ...], benchmark: BenchmarkFixture, say: Callable[[str], None], streaming: str
) -> None:
    """One line for each voice with texts; the telephone prompts are narrow-band, the recogniser's models are not."""
    recogniser = PocketSphinx(Settings(options={"asr-fast": False, "asr-streaming": streaming}))
    recogniser.load()
    known = [clip for clip in clips if clip.text is not None]
    rates = benchmark.pedantic(
        lambda: {
            voice: word_error_rate(recogniser, [known[index] for index in chosen])
            for voice, chosen in _by_voice(known).items()
        }
    )
    for voice, rate in rates.items():
        say(f"{voice}: pocketsphinx, asr-streaming={streaming}, WER {rate:.0%}")


def _by_voice(clips: Sequence[Utterance]) -> Mapping[str, list[int]]:
    voices = [clip.id.split("/")[0] for clip in clips]
    grouped = groupby(sorted(range(len(clips)), key=lambda index: voices[index]), key=lambda index: voices[index])
    return {voice: list(indices) for voice, indices in grouped}


def _errors(errors_ms: npt.NDArray[np.float64]) -> str:
    sizes = np.abs(errors_ms)
    middle, tail = np.percentile(sizes, (50, 95))
    return f"median {middle:.0f} ms, p95 {tail:.0f} ms, over 100 ms {np.mean(sizes > 100):.0%}"
