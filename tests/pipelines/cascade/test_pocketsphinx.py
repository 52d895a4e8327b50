from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx
from firstpacket.pipelines.cascade.tts.espeak import Espeak

pytest.importorskip("pocketsphinx")

RECORDING = Path(__file__).parents[4] / "shared/corpora/instructs2s-eval-sample/vicuna_1.wav"
"""How can I improve my time management skills?"""


class Speaking:
    """Speech in frames of some size; 0 is one frame for all."""

    sample_rate = 16_000
    language = "en"

    def __init__(self, samples: Samples, frame: int = 0, cancelled: bool = False) -> None:
        self._samples = samples
        self._frame = frame or max(1, len(samples))
        self._cancelled = cancelled

    def frames(self) -> Iterator[Samples]:
        for start in range(0, len(self._samples), self._frame):
            yield self._samples[start : start + self._frame]
            if self._cancelled:
                raise TurnCancelled

    def whole(self) -> Samples:
        return self._samples


def engine(fast: bool, streaming: str = "native") -> PocketSphinx:
    made = PocketSphinx(Settings(options={"asr-fast": fast, "asr-streaming": streaming}))
    made.load()
    return made


def heard(made: PocketSphinx, samples: Samples, frame: int = 0) -> str:
    return made.transcribe(Speaking(samples, frame), Trace(MonotonicClock()))


def spoken(text: str) -> Samples:
    """A synthetic sentence at 16 kHz."""
    pytest.importorskip("espeakng_loader")
    import soxr

    voice = Espeak(Settings(options={option.name: option.default for option in Espeak.declaration.options}))
    voice.load()
    chunks = list(voice.speak(text, Trace(MonotonicClock())))
    resampled: Samples = soxr.resample(np.concatenate([samples for samples, _ in chunks]), chunks[0][1], 16_000)
    return resampled


@pytest.fixture(scope="module")
def fast() -> PocketSphinx:
    return engine(fast=True)


@pytest.mark.golden
@pytest.mark.parametrize("quick", [False, True])
def test_hears_a_recording(quick: bool) -> None:
    if not RECORDING.is_file():
        pytest.skip(f"{RECORDING.name} is not in ../shared/corpora")
    import soundfile
    import soxr

    samples, rate = soundfile.read(RECORDING, dtype="float32")
    text = heard(engine(quick), soxr.resample(samples, rate, 16_000))
    assert {"how", "improve", "time", "management"} <= set(text.split())


def test_the_transcript_does_not_depend_on_order_or_frames(fast: PocketSphinx) -> None:
    sentence, other = spoken("one two three four five"), spoken("good morning") * 0.3
    first = heard(fast, sentence)
    assert first
    assert heard(fast, other, 320) != first
    assert heard(fast, sentence) == first
    assert heard(fast, sentence, 320) == first
    assert heard(fast, sentence, 1000) == first


def test_without_streaming_it_waits_and_is_deterministic() -> None:
    whole, trace = engine(fast=True, streaming="off"), Trace(MonotonicClock())
    sentence, other = spoken("one two three four five"), spoken("good morning") * 0.3
    first = heard(whole, sentence)
    assert heard(whole, other) != first
    assert whole.transcribe(Speaking(sentence, 320), trace) == first, "frames make no difference"
    turn = trace.finish()
    assert len(turn.spans) == 3, "the start, all the speech, the end"
    assert not turn.texts
    assert heard(whole, np.zeros(0, np.float32)) == ""


def test_silence_and_nothing_have_no_words(fast: PocketSphinx) -> None:
    assert heard(fast, np.zeros(8_000, np.float32)).strip() == ""
    assert heard(fast, np.zeros(0, np.float32)) == ""


def test_recognition_runs_while_the_user_speaks(fast: PocketSphinx) -> None:
    trace = Trace(MonotonicClock())
    fast.transcribe(Speaking(np.zeros(3_200, np.float32), 320), trace)
    stages: list[Any] = [span.stage for span in trace.finish().spans]
    assert stages == ["asr"] * 12  # the start, ten frames of 20 ms, the end


def test_a_cancelled_turn_leaves_the_decoder_usable(fast: PocketSphinx) -> None:
    with pytest.raises(TurnCancelled):
        fast.transcribe(Speaking(np.zeros(3_200, np.float32), 320, cancelled=True), Trace(MonotonicClock()))
    assert heard(fast, np.zeros(8_000, np.float32)).strip() == ""


def test_hypotheses_are_recorded_during_speech(fast: PocketSphinx) -> None:
    sentence = spoken("one two three four five")
    trace, at_once = Trace(MonotonicClock()), Trace(MonotonicClock())
    last = fast.transcribe(Speaking(sentence, 320), trace)
    partials = [text.text for text in trace.finish().texts if text.kind == "partial"]
    assert len(partials) > 1
    assert all(before != after for before, after in pairwise(partials)), "each is noted when it changes"
    assert set(partials[-1].split()) & set(last.split())
    fast.transcribe(Speaking(sentence), at_once)
    assert not at_once.finish().texts, "nothing is left to say while it is still being heard"
