"""The recogniser behind a Wyoming server, on a virtual clock: what is sent, when, and what is recorded of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.wyoming_engine import Rig
from support.wyoming_server import MS, Behaviour, info, program, recogniser
from wyoming.asr import Transcript
from wyoming.event import Event

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.pipelines.cascade.asr.wyoming import WyomingASR

FRAME = np.full(320, 0.5, np.float32)


class AsrRig(Rig[WyomingASR]):
    """With a microphone."""

    def turn(self, frames: int = 10, realtime: bool = True) -> tuple[str, TurnTrace, int]:
        """The transcript, the trace, and when speech ended."""
        speech = HeardSpeech(self.clock, "en")
        trace = self.prepared()
        over_ns = self.clock.now_ns() + (20 * MS * frames if realtime else 0)

        def speak() -> None:
            if not realtime:
                speech.hear(np.tile(FRAME, frames))
            for _ in range(frames if realtime else 0):
                self.clock.advance(20 * MS)
                speech.hear(FRAME)
            speech.end()

        microphone = self.clock.spawn(speak, "microphone")
        try:
            text = self.engine.transcribe(speech, trace)
        finally:
            self.clock.join(microphone)
        return text, trace.finish(), over_ns


Make = Callable[..., AsrRig]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda behave, **options: AsrRig(monkeypatch, WyomingASR, behave, **options)


def test_speech_is_sent_as_it_comes_and_the_wait_begins_with_its_end(rig: Make) -> None:
    made = rig(recogniser("hello there", answer_ms=250)).loaded()
    text, trace, over_ns = made.turn(frames=10)
    assert text == "hello there"
    chunks = [message for message in trace.messages if message.type == "audio-chunk"]
    assert [message.at_ns - over_ns for message in chunks] == [20 * MS * (number - 9) for number in range(10)]
    assert [message.position_ns for message in chunks] == [20 * MS * number for number in range(10)]
    assert all(
        message.due_ns == message.at_ns and message.audio_bytes == 640 and not message.body for message in chunks
    )
    stop, transcript = trace.messages[-2:]
    assert (stop.sent, stop.type, stop.done_ns) == (True, "audio-stop", over_ns)
    assert (transcript.sent, transcript.type, transcript.at_ns) == (False, "transcript", over_ns + 250 * MS)
    assert json.loads(transcript.body) == {"text": "hello there"}
    assert sum(span.end_ns - span.start_ns for span in trace.spans) == 250 * MS, "waiting for frames is no work"
    assert max(span.end_ns for span in trace.spans) == over_ns + 250 * MS


def test_sending_is_work_and_known_to_the_nanosecond(rig: Make) -> None:
    made = rig(recogniser("hello there", answer_ms=250)).loaded()
    made.server.write_ms = 2
    _, trace, over_ns = made.turn(frames=10)
    spans = [(span.start_ns, span.end_ns) for span in trace.spans if span.end_ns <= over_ns]
    assert sum(end - start for start, end in spans) == (2 + 9) * 2 * MS, (
        "two events before speech, nine chunks during it"
    )
    last, stop = [message for message in trace.messages if message.sent][-2:]
    assert (last.due_ns, last.at_ns, last.done_ns) == (over_ns, over_ns, over_ns + 2 * MS)
    assert (stop.at_ns, stop.done_ns) == (over_ns + 2 * MS, over_ns + 4 * MS)
    assert max(span.end_ns for span in trace.spans) == over_ns + (4 + 250) * MS


def test_the_request_in_words_of_the_protocol(rig: Make) -> None:
    made = rig(recogniser(), asr_model="tiny").loaded()
    _, trace, _ = made.turn(frames=1)
    received = made.server.peers[-1].received
    assert [event.type for _, event in received] == [
        "describe", "transcribe", "audio-start", "audio-chunk", "audio-stop",
    ]  # fmt: skip
    assert received[1][1].data == {"name": "tiny", "language": "en"}
    assert received[3][1].data == {"rate": 16_000, "width": 2, "channels": 1}
    assert np.frombuffer(received[3][1].payload or b"", np.int16).tolist() == [16384] * 320
    sent = [message.bytes for message in trace.messages if message.sent and message.type == "audio-chunk"]
    assert sent[0] > 640


def test_a_clip_that_is_there_at_once_is_sent_in_pieces(rig: Make) -> None:
    made = rig(recogniser(answer_ms=80)).loaded()
    text, trace, over_ns = made.turn(frames=12, realtime=False)
    assert text == "hello there"
    assert [m.audio_bytes for m in trace.messages if m.type == "audio-chunk"] == [3200, 3200, 1280]
    assert trace.messages[-1].at_ns == over_ns + 80 * MS


def test_a_language_that_is_named_is_asked_for(rig: Make) -> None:
    made = rig(recogniser(), asr_language="de").loaded()
    made.turn(frames=1)
    assert made.server.peers[-1].received[1][1].data == {"language": "de"}


def test_connecting_is_no_part_of_the_turn(rig: Make) -> None:
    made = rig(recogniser()).loaded()
    made.server.connect_ms = 400
    before_ns = made.clock.now_ns()
    _, trace, _ = made.turn(frames=1)
    session = trace.session
    assert session is not None
    assert (session.begun_ns, session.open_ns) == (before_ns, before_ns + 400 * MS)
    assert session.ready_ns == before_ns + 400 * MS
    assert min(message.at_ns for message in trace.messages) >= session.ready_ns
    assert min(span.start_ns for span in trace.spans) >= session.ready_ns


def test_a_server_that_closes_after_each_transcript_gets_a_connection_per_turn(rig: Make) -> None:
    """As wyoming-faster-whisper does: the next request on that connection would fail with a reset."""
    made = rig(recogniser(closes=True)).loaded()
    for _ in range(3):
        text, trace, _ = made.turn(frames=2)
        assert text == "hello there"
        assert trace.session is not None and not trace.session.renewed
        assert trace.session.ready_ns - trace.session.begun_ns == 1 * MS
    assert len(made.server.peers) == 1 + 3, "one to describe itself, and one for each turn"


def test_a_connection_that_stays_open_is_kept(rig: Make) -> None:
    made = rig(recogniser()).loaded()
    assert made.turn()[1].session is not None
    assert [made.turn()[1].session for _ in range(2)] == [None, None]
    made.server.peers[-1].hang_up()
    renewed = made.turn()[1].session
    assert renewed is not None and renewed.renewed
    assert len(made.server.peers) == 3


def test_what_a_server_still_sends_of_a_turn_does_not_reach_the_next(rig: Make) -> None:
    def behave(peer: Any) -> None:
        turns = iter(["one", "two"])
        described = info(asr=program("asr"))
        while (event := peer.read()) is not None:
            if event.type == "describe":
                peer.after(5).send(described)
            if event.type == "audio-stop":
                peer.send(Transcript(next(turns)), Transcript("again"))

    made = rig(behave).loaded()
    assert [made.turn()[0], made.turn()[0]] == ["one", "two"]


def test_partial_transcripts_have_the_time_at_which_they_were_received(rig: Make) -> None:
    made = rig(recogniser("hello there", 100, pieces=("hello", " there"))).loaded()
    text, trace, over_ns = made.turn(frames=10)
    assert text == "hello there"
    begun_ns = over_ns - 200 * MS
    partials = [(each.text, each.at_ns - begun_ns) for each in trace.texts if each.kind == "partial"]
    assert partials == [("hello", 25 * MS), ("hello there", 50 * MS)]
    assert made.turn(frames=10)[0] == "hello there", "transcript-stop of the turn before is no answer"


def test_pieces_alone_are_a_transcript(rig: Make) -> None:
    def behave(peer: Any) -> None:
        while (event := peer.read()) is not None:
            if event.type == "describe":
                peer.send(info(asr=program("asr")))
            if event.type == "audio-stop":
                peer.send(Event("transcript-chunk", {"text": "hel"}), Event("transcript-chunk", {"text": "lo"}))
                peer.send(Event("transcript-stop"))

    assert rig(behave).loaded().turn()[0] == "hello"


def test_a_transcript_during_speech_is_a_split_turn(rig: Make) -> None:
    def behave(peer: Any) -> None:
        while (event := peer.read()) is not None:
            if event.type == "describe":
                peer.send(info(asr=program("asr", requires_external_vad=False)))
            if event.type == "audio-start":
                peer.after(50).send(Transcript("hel"))

    made = rig(behave).loaded()
    assert made.engine.facts()["asr_finds_speech_end"] is True
    with pytest.raises(TurnEnded, match="while the user was speaking") as ended:
        made.turn(frames=10)
    assert ended.value.outcome == "split"


def test_an_empty_transcript_says_why_the_turn_is_silent(rig: Make) -> None:
    text, trace, _ = rig(recogniser("")).loaded().turn()
    assert text == ""
    assert [each.text for each in trace.texts if each.kind == "shortcoming"] == ["the server's transcript is empty"]


def test_facts_are_what_the_server_says_of_itself(rig: Make) -> None:
    made = rig(recogniser(pieces=("a",))).loaded()
    assert made.engine.facts() == {
        "asr_server": "fake-asr",
        "asr_server_version": "1.2",
        "asr_service": "asr",
        "asr_streams": True,
        "asr_finds_speech_end": False,
    }
    assert made.engine.servers() == ("tcp://127.0.0.1:10300",)
    assert made.engine.weights()[0].source == "the model that it chooses, served by tcp://127.0.0.1:10300"


def described(**programs: Any) -> Behaviour:
    def behave(peer: Any) -> None:
        while peer.read() is not None:
            peer.send(info(**programs))

    return behave


def test_a_server_without_the_service_is_refused_with_what_it_has(rig: Make) -> None:
    with pytest.raises(UsageError) as refused:
        rig(described(tts=program("tts"))).loaded()
    assert str(refused.value) == (
        "The server tcp://127.0.0.1:10300: it does not offer speech to text (asr), but text to speech (tts): fake-tts."
    )


def test_a_model_that_is_not_there_is_refused_with_those_that_are(rig: Make) -> None:
    with pytest.raises(UsageError, match=r"it has no large \(asr-model\)\. It has tiny, small\."):
        rig(described(asr=program("asr", ("tiny", "small"))), asr_model="large").loaded()


def test_a_model_that_would_be_downloaded_in_a_turn_is_refused(rig: Make) -> None:
    listed = program("asr", ("tiny",))
    listed["models"][0]["installed"] = False
    with pytest.raises(UsageError, match="would download it during a turn"):
        rig(described(asr=listed), asr_model="tiny").loaded()


def test_another_program_of_the_server_is_selected(rig: Make) -> None:
    both = [program("asr", ("tiny",)), {**program("asr", ("small",)), "name": "other"}]

    def behave(peer: Any) -> None:
        while (event := peer.read()) is not None:
            if event.type == "describe":
                peer.send(Event("info", {"asr": both}))
            if event.type == "audio-stop":
                peer.send(Transcript("yes"))

    made = rig(behave, asr_model="small").loaded()
    assert made.turn(frames=1)[0] == "yes"
    _, selected = made.server.peers[-1].received[0]
    assert (selected.type, selected.data) == ("select-program", {"name": "other"})


def test_no_server(rig: Make) -> None:
    made = rig(recogniser())
    made.server.refuses = True
    with pytest.raises(BenchError) as refused:
        made.loaded()
    assert str(refused.value) == (
        "The server tcp://127.0.0.1:10300: cannot connect: Connection refused. "
        "Check that the server is running, and check asr-uri."
    )


def test_a_server_that_says_nothing(rig: Make) -> None:
    with pytest.raises(BenchError, match=r"it did not describe itself within 2 s\. Check that the server is running"):
        rig(lambda peer: None, asr_timeout=2.0).loaded()


@pytest.mark.parametrize(
    "uri",
    ["", "http://127.0.0.1:10300", "tcp://127.0.0.1", "tcp://:10300", "unix://socket", "tcp://h:99999", "tcp://h:1/x"],
)
def test_an_address_that_is_none(rig: Make, uri: str) -> None:
    with pytest.raises(UsageError, match="asr-uri is not an address of a Wyoming server"):
        rig(recogniser(), asr_uri=uri)


def test_an_address_with_a_secret_is_refused_without_repeating_it(rig: Make) -> None:
    with pytest.raises(UsageError) as refused:
        rig(recogniser(), asr_uri="tcp://me:hunter2@host:10300")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("timeout", [0.0, -1.0, 4000.0])
def test_a_timeout_that_is_none(rig: Make, timeout: float) -> None:
    with pytest.raises(UsageError, match="asr-timeout is"):
        rig(recogniser(), asr_timeout=timeout)
