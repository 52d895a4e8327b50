"""Local agreement: committed words stay, others are transcribed again; on growing hypotheses and on a clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import HandOff
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.local_agreement import Agreement, units
from firstpacket.pipelines.cascade.asr.streaming import WINDOW, recognise_live

MS = 1_000_000
RATE_PER_MS = 16
WORD = st.sampled_from(["one", "two", "three", "it's", "so,", "日本", "ไทย"])
TAILS = st.lists(st.lists(WORD, max_size=6).map(lambda words: "".join(f" {word}" for word in words)), max_size=8)


def test_words_are_committed_when_two_hypotheses_agree_on_all_before_them() -> None:
    agreement = Agreement()
    agreement.update(" What is a god")
    assert (agreement.committed, agreement.text) == ("", " What is a god")
    agreement.update(" What is a good way")
    assert (agreement.committed, agreement.text) == (" What is a", " What is a good way")
    agreement.update(" good day")
    assert (agreement.committed, agreement.text) == (" What is a good", " What is a good day")


def test_a_word_agreed_on_after_one_that_changed_is_not_committed() -> None:
    agreement = Agreement()
    agreement.update(" a b c")
    agreement.update(" x b c")
    assert agreement.committed == ""


@given(TAILS)
def test_committed_words_are_never_revised(tails: list[str]) -> None:
    agreement, before = Agreement(), ""
    for tail in tails:
        agreement.update(tail)
        assert agreement.committed.startswith(before)
        assert agreement.text.startswith(agreement.committed)
        assert agreement.text == before + tail
        before = agreement.committed


@given(st.lists(WORD, max_size=12), st.lists(st.integers(0, 12), max_size=8))
def test_hypotheses_that_only_grow_end_in_the_offline_text(words: list[str], lengths: list[int]) -> None:
    text = [f" {word}" for word in words]
    agreement = Agreement()
    for length in sorted(lengths):
        agreement.update("".join(text[:length]).removeprefix(agreement.committed))
    whole = "".join(text)
    assert whole.startswith(agreement.committed)
    agreement.update(whole.removeprefix(agreement.committed))
    assert agreement.text == whole


@given(st.text())
def test_units_are_the_text(text: str) -> None:
    assert "".join(units(text)) == text.rstrip() or "".join(units(text)).rstrip() == text.rstrip()


def test_where_no_spaces_are_written_characters_are_committed() -> None:
    assert units(" one two") == [" one", " two"]
    assert units("日本語です ok") == ["日", "本", "語", "で", "す", " ok"]


class Spoken:
    """Speech delivered in frames of 20 ms, or all in one."""

    sample_rate = 16_000
    language = "en"

    def __init__(self, clock: VirtualClock, ms: int, frame_ms: int = 20, cancelled: bool = False) -> None:
        self._clock = clock
        self._ms = ms
        self._frame_ms = frame_ms
        self._cancelled = cancelled

    def frames(self) -> Iterator[Samples]:
        for end in range(self._frame_ms, self._ms + 1, self._frame_ms):
            self._clock.sleep_until_ns(end * MS)
            yield np.full(self._frame_ms * RATE_PER_MS, end, np.float32)
        if self._cancelled:
            raise TurnCancelled
        self._clock.sleep_until_ns(self._ms * MS)

    def whole(self) -> Samples:
        raise AssertionError("it listens frame by frame")


class Recogniser:
    """Writes a word for each second of speech; the last one wrongly while it is being said. Every pass takes long."""

    WORDS = (" one", " two", " three", " four", " five", " six", " seven")

    def __init__(self, trace: Trace, pass_ms: int) -> None:
        self._trace = trace
        self._pass_ms = pass_ms
        self.passes: list[tuple[int, int, str]] = []
        """When each began, how many ms it heard, and with which words it was given."""

    def recognise(self, samples: Samples, prefix: str, after: HandOff | None = None) -> str:
        heard_ms = len(samples) // RATE_PER_MS
        assert not len(samples) or samples[-1] == heard_ms, "what was heard lies in order"
        self.passes.append((self._trace.clock.now_ns() // MS, heard_ms, prefix))
        with self._trace.stage("asr", after=after):
            self._trace.clock.sleep_until_ns(self._trace.clock.now_ns() + self._pass_ms * MS)
        seconds, rest = divmod(heard_ms, 1000)
        text = "".join(self.WORDS[:seconds]) + (" hm" if rest else "")
        assert text.startswith(prefix)
        return text.removeprefix(prefix)


def turn(ms: int, pass_ms: int, interval_ms: int = 1000, **speech: Any) -> tuple[str, Recogniser, Any]:
    clock = VirtualClock()
    trace = Trace(clock)
    recogniser = Recogniser(trace, pass_ms)
    text = recognise_live(
        recogniser.recognise,
        recogniser.recognise,
        Spoken(clock, ms, **speech),
        trace,
        interval_ms * RATE_PER_MS,
    )
    return text, recogniser, trace.finish()


def test_only_the_tail_is_left_for_the_last_pass() -> None:
    text, recogniser, trace = turn(4000, pass_ms=300)
    assert text == " one two three four"
    # A pass begins with the frame that shows that speech goes on; the last one when speech has ended.
    assert recogniser.passes == [
        (1020, 1000, ""),
        (2020, 2000, ""),
        (3020, 3000, " one"),
        (4000, 4000, " one two"),
    ]
    assert [(text.text.strip(), text.at_ns // MS) for text in trace.texts] == [
        ("one", 1320),
        ("one two", 2320),
        ("one two three", 3320),
    ]


def test_slow_passes_do_not_fall_behind() -> None:
    text, recogniser, _ = turn(6000, pass_ms=1690)
    assert text == " one two three four five six"
    starts = [(begun, heard) for begun, heard, _ in recogniser.passes]
    assert starts == [(1020, 1000), (2720, 2700), (4420, 4400), (6110, 6000)]
    assert all(begun - heard <= 20 for begun, heard in starts[:-1]), "each hears all there was when it began"


def test_the_path_contains_the_pass_in_which_speech_ended() -> None:
    _, recogniser, trace = turn(1500, pass_ms=900)
    assert recogniser.passes == [(1020, 1000, ""), (1920, 1500, "")]
    last = trace.spans[-1]
    (hand_off,) = (hand_off for hand_off in trace.hand_offs if hand_off.id == last.after)
    assert (hand_off.at_ns, last.start_ns) == (1920 * MS, 1920 * MS)
    assert hand_off.thread != last.thread
    _, _, idle = turn(1500, pass_ms=100)
    assert idle.spans[-1].after is None, "nothing was waited for"


def test_speech_delivered_all_together_is_one_pass() -> None:
    text, recogniser, trace = turn(4000, pass_ms=300, frame_ms=4000)
    assert text == " one two three four"
    assert recogniser.passes == [(4000, 4000, "")]
    assert not trace.texts


def test_without_speech_there_is_no_pass() -> None:
    text, recogniser, _ = turn(0, pass_ms=300)
    assert (text, recogniser.passes) == ("", [])


def test_speech_longer_than_the_window_is_transcribed_again() -> None:
    seconds = WINDOW // 16_000
    _, recogniser, _ = turn((seconds + 2) * 1000, pass_ms=100, interval_ms=10_000)
    assert [(heard, bool(prefix)) for _, heard, prefix in recogniser.passes] == [
        (10_000, False),
        (20_000, False),
        (30_000, True),
        (32_000, False),
    ]


def test_a_cancelled_turn_waits_for_its_thread() -> None:
    clock = VirtualClock()
    recogniser = Recogniser(Trace(clock), 700)
    speech = Spoken(clock, 1500, cancelled=True)
    with pytest.raises(TurnCancelled):
        recognise_live(recogniser.recognise, recogniser.recognise, speech, Trace(clock), 16_000)
    assert clock.now_ns() == 1720 * MS
    assert len(recogniser.passes) == 1


def test_an_error_in_a_pass_is_raised_to_the_caller() -> None:
    clock = VirtualClock()

    def broken(samples: Samples, prefix: str) -> str:
        raise RuntimeError("out of memory")

    def never(samples: Samples, prefix: str, after: HandOff | None) -> str:
        raise AssertionError("no further pass is begun")

    with pytest.raises(RuntimeError, match="out of memory"):
        recognise_live(never, broken, Spoken(clock, 3000), Trace(clock), 16_000)
