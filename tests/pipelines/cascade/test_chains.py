"""The chains with engines that take known time on a virtual clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.metrics.critical_path import critical_path, summed
from firstpacket.bench.pipeline import Declaration, Packet, Samples, Settings, Speech
from firstpacket.bench.run.microphone import Microphone
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.chains import CHAINS, Engines
from firstpacket.pipelines.cascade.engines import ASR, LLM, TTS

MS = 1_000_000
ASR_MS, PREFILL_MS, TOKEN_MS, CHUNK_MS = 100, 40, 10, 5
REPLY = ["One", " two", " three,", " four", " five", ".", " Six", " seven", "."]
NOTHING = Declaration(name="fake", summary="")


class FakeASR(ASR):
    declaration = NOTHING
    text = "a question"

    def load(self) -> None: ...

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        speech.whole()
        with trace.stage("asr"):
            busy(trace, ASR_MS)
        return self.text


class StreamingASR(FakeASR):
    """Takes half a frame's time for every frame, as it comes."""

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        for frame in speech.frames():
            with trace.stage("asr"):
                busy(trace, len(frame) // 32)
        return self.text


class FakeLLM(LLM):
    declaration = NOTHING
    pieces = REPLY
    fails_at = -1
    asked = 0

    def load(self) -> None: ...

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        self.asked += 1
        for number, piece in enumerate(self.pieces):
            busy(trace, TOKEN_MS if number else PREFILL_MS)
            if number == self.fails_at:
                raise RuntimeError("out of memory")
            yield piece


class FakeTTS(TTS):
    declaration = NOTHING

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.said: list[str] = []

    def load(self) -> None: ...

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        self.said.append(text)
        for _ in range(2):
            busy(trace, CHUNK_MS)
            yield np.zeros(160, np.float32), 16_000


class Said:
    """Speech that has ended."""

    sample_rate = 16_000
    language = "en"

    def whole(self) -> Samples:
        return np.zeros(16_000, np.float32)

    def frames(self) -> Iterator[Samples]:
        yield self.whole()

    microphone = frames


class CalledOff(Said):
    def whole(self) -> Samples:
        raise TurnCancelled


def busy(trace: Trace, ms: int) -> None:
    trace.clock.sleep_until_ns(trace.clock.now_ns() + ms * MS)


class Turn:
    """One turn of a chain on fresh fakes."""

    def __init__(self, chain: str, speech: Any = None, clock: VirtualClock | None = None) -> None:
        settings = Settings()
        self.engines = Engines(FakeASR(settings), FakeLLM(settings), FakeTTS(settings))
        self.trace = Trace(clock or VirtualClock())
        self.packets = CHAINS[chain](self.engines, speech or Said(), self.trace, "clause")

    def run(self) -> TurnTrace:
        for packet in self.packets:
            self.stamp(packet)
        return self.trace.finish()

    def stamp(self, packet: Packet) -> None:
        self.trace.packet(len(packet.samples), packet.sample_rate, packet.after)

    def said(self) -> list[str]:
        tts = self.engines.tts
        assert isinstance(tts, FakeTTS)
        return tts.said


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    # join() on a virtual clock waits for the thread's body; its last steps are outside virtual time.
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def first_packet_ms(trace: TurnTrace) -> float:
    return trace.packets[0].at_ns / MS


def test_streamed_speaks_while_the_model_generates() -> None:
    trace = Turn("streamed").run()
    assert first_packet_ms(trace) == ASR_MS + PREFILL_MS + 2 * TOKEN_MS + CHUNK_MS
    last_thought = max(span.end_ns for span in trace.spans if span.stage == "llm.decode")
    assert trace.packets[0].at_ns < last_thought


def test_sequential_waits_for_each_stage_to_finish() -> None:
    turn = Turn("sequential")
    trace = turn.run()
    assert first_packet_ms(trace) == ASR_MS + PREFILL_MS + 8 * TOKEN_MS + CHUNK_MS
    assert turn.said() == ["".join(REPLY)]
    assert [span.stage for span in trace.spans] == ["asr", "llm.prefill", "llm.decode", "tts", "tts", "tts"]


@pytest.mark.parametrize(("chain", "left_ms"), [("sequential", 500), ("streamed", 500), ("overlapped", 10)])
def test_only_overlapped_transcribes_while_the_user_speaks(chain: str, left_ms: int) -> None:
    """1 s of speech costs 500 ms: all of it after its end, or all but the last frame's before."""
    clock = VirtualClock()
    speech = HeardSpeech(clock, "en")
    microphone = Microphone(clock, np.zeros(16_000, np.float32), speech.hear, speech.end)
    turn = Turn(chain, speech, clock)
    turn.engines = replace(turn.engines, asr=StreamingASR(Settings()))
    turn.packets = CHAINS[chain](turn.engines, speech, turn.trace, "clause")
    t0_ns = microphone.begin()
    playing = clock.spawn(microphone.play, "microphone")
    trace = turn.run()
    clock.join(playing)
    heard_ns = max(span.end_ns for span in trace.spans if span.stage == "asr")
    assert heard_ns - t0_ns == left_ms * MS


@pytest.mark.parametrize("chain", CHAINS)
def test_every_nanosecond_of_the_path_has_an_owner(chain: str) -> None:
    trace = Turn(chain).run()
    owners = summed(critical_path(trace, 0))
    decode_ms = (8 if chain == "sequential" else 2) * TOKEN_MS
    assert owners == {
        ("asr", "host"): ASR_MS * MS,
        ("llm.prefill", "host"): PREFILL_MS * MS,
        ("llm.decode", "host"): decode_ms * MS,
        ("tts", "host"): CHUNK_MS * MS,
    }


def test_hand_offs_lead_from_stage_to_stage() -> None:
    trace = Turn("streamed").run()
    hand_offs = {hand_off.id: hand_off for hand_off in trace.hand_offs}
    sources = [
        (span.stage, None if span.after is None else hand_offs[span.after].stage)
        for span in trace.spans
        if span.after is not None
    ]
    assert sources == [("llm.prefill", "asr"), *[("tts", "llm.decode")] * 3]
    assert all(hand_offs[packet.after].stage == "tts" for packet in trace.packets if packet.after is not None)
    assert all(packet.after is not None for packet in trace.packets)
    thinking = {span.thread for span in trace.spans if span.stage.startswith("llm")}
    speaking = {span.thread for span in trace.spans if span.stage == "tts"}
    assert len(thinking) == len(speaking) == 1
    assert thinking != speaking


def test_one_decode_span_for_each_phrase() -> None:
    turn = Turn("streamed")
    trace = turn.run()
    assert turn.said() == ["One two three,", "four five.", "Six seven."]
    lengths = [(span.end_ns - span.start_ns) / MS for span in trace.spans if span.stage == "llm.decode"]
    # The full stop of the second phrase is certain only with the next token.
    assert lengths == [2 * TOKEN_MS, 4 * TOKEN_MS, 2 * TOKEN_MS]


def test_no_span_is_open_across_a_yield_or_a_wait() -> None:
    turn = Turn("streamed")
    for packet in turn.packets:
        turn.stamp(packet)
        busy(turn.trace, 1000)
    for span in turn.trace.finish().spans:
        if span.stage == "tts":
            assert span.end_ns - span.start_ns <= CHUNK_MS * MS


@pytest.mark.parametrize("chain", CHAINS)
def test_texts_are_recorded(chain: str) -> None:
    trace = Turn(chain).run()
    assert [(text.kind, text.text) for text in trace.texts] == [("transcript", "a question"), ("reply", "".join(REPLY))]


def test_a_first_token_that_is_a_phrase_comes_from_the_prefill() -> None:
    turn = Turn("streamed")
    turn.engines.llm.pieces = ["A whole phrase!", " More."]  # type: ignore[attr-defined]
    trace = turn.run()
    hand_offs = {hand_off.id: hand_off for hand_off in trace.hand_offs}
    first = next(span for span in trace.spans if span.stage == "tts")
    assert first.after is not None
    assert hand_offs[first.after].stage == "llm.prefill"
    assert turn.said() == ["A whole phrase!", "More."]


@pytest.mark.parametrize("chain", CHAINS)
def test_an_empty_transcript_gives_no_reply(chain: str) -> None:
    turn = Turn(chain)
    turn.engines.asr.text = " "  # type: ignore[attr-defined]
    assert turn.run().packets == ()
    assert turn.engines.llm.asked == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("chain", CHAINS)
def test_an_empty_reply_has_no_packets(chain: str) -> None:
    turn = Turn(chain)
    turn.engines.llm.pieces = []  # type: ignore[attr-defined]
    trace = turn.run()
    assert trace.packets == ()
    assert [span.stage for span in trace.spans] == ["asr", "llm.prefill", "llm.decode"]
    assert not [span for span in trace.spans if span.first_output_ns is not None], "no token came"


@pytest.mark.parametrize("chain", CHAINS)
def test_a_model_is_given_up_between_tokens_when_the_turn_is_cancelled(chain: str) -> None:
    turn = Turn(chain)

    def pieces() -> Iterator[str]:
        yield "One"
        turn.trace.cancellation.cancel()
        yield " two"
        pytest.fail("it went on")

    turn.engines.llm.pieces = pieces()  # type: ignore[attr-defined]
    with pytest.raises(TurnCancelled):
        turn.run()
    assert [text.text for text in turn.trace.finish().texts if text.kind == "reply"] == ["One"]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("token", [0, 1, 5])
def test_a_failure_of_the_model_surfaces(chain: str, token: int) -> None:
    turn = Turn(chain)
    turn.engines.llm.fails_at = token  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="out of memory"):
        turn.run()


@pytest.mark.parametrize("chain", CHAINS)
def test_closing_early_stops_the_model(chain: str) -> None:
    turn = Turn(chain)
    turn.engines.llm.pieces = REPLY * 1000  # type: ignore[attr-defined]
    if chain == "sequential":
        turn.engines.llm.pieces = REPLY  # type: ignore[attr-defined]
    turn.stamp(next(turn.packets))
    turn.packets.close()  # type: ignore[attr-defined]
    trace = turn.trace.finish()
    assert len(trace.packets) == 1
    assert trace.spans[-1].end_ns <= trace.packets[0].at_ns + TOKEN_MS * MS
    assert [text.kind for text in trace.texts] == ["transcript", "reply"]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_cancelled_turn_passes(chain: str) -> None:
    with pytest.raises(TurnCancelled):
        Turn(chain, CalledOff()).run()


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize(
    ("engine", "gives", "message"),
    [
        ("asr", {"text": None}, r"the transcript must be text \(str\), but is NoneType"),
        ("llm", {"pieces": ("Hello ", None)}, r"the language model yielded NoneType; a piece .* must be text"),
        (
            "tts",
            {"speak": lambda text, trace: [np.zeros(160, np.float32)]},
            r"voice yielded ndarray; .* pairs of samples",
        ),
    ],
)
def test_an_engine_that_gives_something_else_is_named(
    chain: str, engine: str, gives: dict[str, Any], message: str
) -> None:
    turn = Turn(chain)
    for name, value in gives.items():
        setattr(getattr(turn.engines, engine), name, value)
    with pytest.raises(TypeError, match=message):
        turn.run()


@pytest.mark.parametrize("chain", CHAINS)
def test_a_voice_may_give_a_list(chain: str) -> None:
    turn = Turn(chain)
    turn.engines.tts.speak = lambda text, trace: [(np.zeros(160, np.float32), 16_000)]  # type: ignore[method-assign]
    assert turn.run().packets
