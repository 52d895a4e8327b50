from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts import espeak
from firstpacket.pipelines.cascade.tts.espeak import Espeak

pytest.importorskip("espeakng_loader")

LONG = "Start by warming the pan, then add the onions and stir them slowly until they turn soft and golden. " * 20


def engine(**changed: Any) -> Espeak:
    options = {option.name: option.default for option in Espeak.declaration.options}
    return Espeak(Settings(options={**options, **changed}))


@pytest.fixture
def voice() -> Espeak:
    made = engine()
    made.load()
    return made


@pytest.mark.parametrize("clock", [MonotonicClock, VirtualClock])
def test_speech_comes_in_short_audible_chunks(voice: Espeak, clock: Any) -> None:
    chunks = list(voice.speak("Sure, I can help with that.", Trace(clock())))
    sound = np.concatenate([samples for samples, _ in chunks])
    assert {rate for _, rate in chunks} == {22_050}
    assert sound.dtype == np.float32
    assert 1.0 < len(sound) / 22_050 < 3.0
    assert 0.1 < np.abs(sound).max() <= 1.0
    assert max(len(samples) for samples, _ in chunks) < 0.1 * 22_050


@pytest.mark.alone
def test_the_first_chunk_does_not_wait_for_the_last(voice: Espeak) -> None:
    trace = Trace(MonotonicClock())
    chunks = voice.speak(LONG, trace)
    start = time.perf_counter()
    next(chunks)
    first = time.perf_counter() - start
    assert sum(1 for _ in chunks) > 100
    assert first < (time.perf_counter() - start) / 2


def test_closing_early_stops_the_voice(voice: Espeak) -> None:
    chunks: Any = voice.speak(LONG, Trace(MonotonicClock()))
    next(chunks)
    chunks.close()
    assert len(list(voice.speak("Yes.", Trace(MonotonicClock())))) < 20


def test_an_error_in_the_callback_is_raised(voice: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(espeak.np.ctypeslib, "as_array", broken)
    with pytest.raises(MemoryError, match="no room"):
        list(voice.speak("Hello there.", Trace(MonotonicClock())))


def test_an_error_before_the_callback_is_raised(voice: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would leave the turn waiting for an end that never comes."""

    def broken(*_: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(espeak, "_said", broken)
    with pytest.raises(OSError, match="gone"):
        list(voice.speak("Hello.", Trace(VirtualClock())))


def test_unspeakable_text_is_skipped(voice: Espeak) -> None:
    def seconds(text: str) -> float:
        return sum(len(samples) for samples, rate in voice.speak(text, Trace(VirtualClock()))) / 22_050

    assert seconds("Hello \ud800 there.") > 0.3, "half a character"
    assert seconds("Hello \0 there, my friend.") > 1.5 * seconds("Hello"), "what follows a zero is said too"


def test_an_unknown_voice_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"Unknown voice of espeak-ng \(tts-voice\) 'frr'\. Did you mean 'fr"):
        engine(**{"tts-voice": "frr"}).load()


@pytest.mark.parametrize(("option", "value"), [("tts-speed", 20), ("tts-pitch", 200)])
def test_numbers_out_of_range(option: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{option} is {value}"):
        engine(**{option: value}).load()


def test_speed_and_voice_change_the_sound(voice: Espeak) -> None:
    def length(made: Espeak) -> int:
        made.load()
        return sum(len(samples) for samples, _ in made.speak("Good morning to you.", Trace(MonotonicClock())))

    assert length(engine(**{"tts-speed": 350})) < 0.7 * length(engine())
    assert length(engine(**{"tts-voice": "de"})) != length(engine())
