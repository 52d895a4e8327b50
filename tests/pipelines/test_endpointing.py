"""The end of speech: as the corpus says, or as a detector finds it in what the microphone delivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from support.runs import make_evidence
from support.virtual import make_scripted, make_utterance

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.figures import TurnFigures, turn_figures
from firstpacket.bench.pipeline import SAMPLE_RATE, Declaration, Packet, Pipeline, Samples, Settings, Speech, Stage
from firstpacket.bench.run.executor import TurnConfig, TurnResult
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.endpointing import (
    OPTIONS,
    EndedSpeech,
    Endpointer,
    OverheardSpeech,
    SileroDetector,
    with_endpointing,
)

MS = 1_000_000
DEFAULTS = {option.name: option.default for option in OPTIONS}


class Counting:
    """Takes sound above silence for a voice, and 100 ms of silence for the end."""

    def __init__(self) -> None:
        self.silent = 0

    voiced = property(lambda self: self.silent == 0)
    over = property(lambda self: self.silent >= 1600)

    def push(self, frame: Samples) -> None:
        self.silent = 0 if frame.any() else self.silent + len(frame)


class Answering(Pipeline):
    """Answers immediately when the user has finished."""

    declaration = Declaration("answering", "", stages=(Stage("tts", "speak"),))
    ended: ClassVar[Callable[[Speech, Trace], EndedSpeech]]

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        ended = type(self).ended(speech, trace)
        Answering.heard = 0
        for frame in ended.frames():
            Answering.heard += len(frame)
            with trace.stage("asr"):
                trace.clock.sleep_until_ns(trace.clock.now_ns() + 2 * MS)
        with trace.stage("tts"):
            trace.clock.sleep_until_ns(trace.clock.now_ns() + 5 * MS)
        yield Packet(np.full(1600, 0.5, np.float32), SAMPLE_RATE, trace.hand_off("tts"))

    heard = 0

    @staticmethod
    def ended(speech: Speech, trace: Trace) -> EndedSpeech:
        return OverheardSpeech(speech, trace, Counting())


class Trusting(Answering):
    """Is told by the corpus."""

    ended = EndedSpeech


def put(pipeline: type[Pipeline], said: Utterance) -> tuple[TurnResult, TurnFigures]:
    finds = pipeline is Answering
    executor = InProcessExecutor(replace(make_scripted("a", ""), finds_speech_end=finds), VirtualClock(), pipeline)
    executor.start()
    reply = executor.run(1, said, TurnConfig("realtime", 1000 * MS), "")
    evidence = make_evidence(
        **{name: getattr(reply, name) for name in ("outcome", "trace", "delivery", "reply_levels")}
    )
    return reply, turn_figures(evidence)


def test_the_oracle_waits_for_nothing() -> None:
    reply, measured = put(Trusting, make_utterance(seconds=1.0))
    assert "endpointing_delay" not in measured.figures, "nothing was decided"
    assert measured.figures["first_packet_latency"] == 7 * MS
    (waited,) = [span for span in reply.trace.spans if span.stage == "endpoint"]
    assert waited.end_ns == reply.delivery.t0_ns + 2 * MS, "the last frame was being worked on"


def test_a_detector_waits_in_silence_and_the_path_says_so() -> None:
    reply, measured = put(Answering, make_utterance(seconds=1.0))
    assert measured.figures["endpointing_delay"] == 100 * MS
    assert measured.figures["first_packet_latency"] == 107 * MS
    assert {(part.stage, part.kind): part.ns for part in measured.path} == {
        ("endpoint", "host"): 100 * MS,
        ("asr", "host"): 2 * MS,
        ("tts", "host"): 5 * MS,
    }
    assert measured.hidden == {"asr": 10 * MS}, "work during the wait is no reason for it"
    assert measured.flags == ()
    assert Answering.heard == 17_600, "the silence was heard as well"
    assert len(reply.delivery.lateness_ns) >= 55


def test_a_pause_is_taken_for_the_end() -> None:
    samples = np.full(16_000, 0.1, np.float32)
    samples[4_800:8_000] = 0  # 200 ms of silence from 300 ms on
    said = replace(make_utterance(seconds=1.0), samples=samples)
    _, measured = put(Answering, said)
    assert measured.figures["endpointing_delay"] == 400 * MS - 1000 * MS
    assert measured.figures["first_packet_latency"] == 407 * MS - 1000 * MS
    assert measured.flags == ("false_endpoint",)


def test_the_silence_that_follows_is_that_of_the_clip() -> None:
    """This detector takes any noise for a voice, so it finds an end only where pauses are digital silence."""
    said = make_utterance(seconds=1.0)
    noisy = said.samples.copy()
    noisy[-1600:] = np.random.default_rng(0).normal(0, 0.001, 1600)  # after the end of speech
    assert put(Answering, replace(said, samples=noisy))[0].outcome == "timeout"
    noisy[-1600:] = 0
    assert put(Answering, replace(said, samples=noisy))[0].outcome == "answered"


def test_an_end_that_is_never_found_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "over", False)
    reply, measured = put(Answering, make_utterance(seconds=0.5))
    assert reply.outcome == "timeout"
    assert "endpointing_delay" not in measured.figures


def test_the_declaration_follows_the_endpoint_option() -> None:
    plain = Declaration("a", "")
    assert with_endpointing(plain, {}) == with_endpointing(plain, {"endpoint": "oracle"})
    assert not with_endpointing(plain, {}).requires
    found = with_endpointing(plain, {"endpoint": "vad"})
    assert found.finds_speech_end and found.requires
    assert found.stages == (Stage("endpoint", "wait", "endpoint"),)


@pytest.mark.parametrize(
    ("option", "value"), [("endpoint-silence", 0), ("endpoint-silence", 20_000), ("endpoint-threshold", 1.5)]
)
@pytest.mark.parametrize("endpoint", ["oracle", "vad"])
def test_impossible_values_are_refused(option: str, value: float, endpoint: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is"):
        Endpointer(Settings(options={**DEFAULTS, "endpoint": endpoint, option: value})).load()


@pytest.fixture(scope="module")
def endpointer() -> Endpointer:
    pytest.importorskip("faster_whisper")
    made = Endpointer(Settings(options={**DEFAULTS, "endpoint": "vad"}))
    made.load()
    return made


def decided_s(detector: SileroDetector, samples: Samples) -> float | None:
    """When the detector says that the speaker has finished, in seconds from the beginning."""
    for begin in range(0, len(samples), 320):
        detector.push(samples[begin : begin + 320])
        if detector.over:
            return (begin + 320) / SAMPLE_RATE
    return None


def test_silero_finds_the_end_of_real_speech(endpointer: Endpointer) -> None:
    for said in load_corpus("demo", limit=6).utterances:
        speech = said.speech()
        found = decided_s(endpointer.heard(_Nothing(), _TRACE)._detector, np.pad(speech, (0, 32_000)))  # type: ignore[arg-type]
        assert found is not None
        # The last voiced window may end some time before or after the annotated end; then 500 ms must pass.
        assert found - len(speech) / SAMPLE_RATE == pytest.approx(0.5, abs=0.2), said.id


def test_silero_finds_no_end_of_speech_in_noise(endpointer: Endpointer) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 48_000).astype(np.float32)
    assert decided_s(endpointer.heard(_Nothing(), _TRACE)._detector, noise) is None  # type: ignore[arg-type]


def test_the_librarys_own_call_gives_the_same_probabilities(endpointer: Endpointer) -> None:
    vad = pytest.importorskip("faster_whisper.vad")
    said = load_corpus("demo", limit=1).utterances[0].speech()
    samples = said[: len(said) // 512 * 512]
    detector = endpointer.heard(_Nothing(), _TRACE)._detector
    assert isinstance(detector, SileroDetector)
    ours = [detector._probability(window) for window in samples.reshape(-1, 512)]
    np.testing.assert_allclose(ours, vad.get_vad_model()(samples), atol=1e-4)


def test_with_file_input_there_is_nothing_to_find(tmp_path: Path) -> None:
    from support.command import bench

    done = bench("run", "--pipeline", "direct,endpoint=vad", "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "file input cuts the clip there. Use --input realtime" in done.stderr
    assert not (tmp_path / "run").exists()


class _Nothing:
    sample_rate = SAMPLE_RATE
    language = "en"

    def frames(self) -> Iterator[Samples]:
        yield from ()

    microphone = frames

    def whole(self) -> Samples:
        return np.zeros(0, np.float32)


_TRACE = Trace(VirtualClock())
