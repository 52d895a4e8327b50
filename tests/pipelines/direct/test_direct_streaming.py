"""The pipeline with encoder-context=streaming as the harness uses it: on virtual time, and with bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.frames import in_frames
from support.runs import make_evidence
from support.virtual import make_utterance

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import CorpusError, UsageError, WeightsError
from firstpacket.bench.metrics.figures import TurnFigures, turn_figures
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import Pipeline, Samples, Settings
from firstpacket.bench.record.schema import InputMode, System, TurnResult
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.resolve import resolve, resolve_one
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.direct.llama_omni.block_encoder import BlockEncoder
from firstpacket.pipelines.endpointing import Endpointer, OverheardSpeech
from firstpacket.pipelines.models.chat import END_OF_TURN, HEADER

Make = Callable[..., Settings]
MS = 1_000_000


def system(**options: Any) -> System:
    chosen = {"weights": "dummy", "encoder-context": "streaming", "max-new-tokens": 3} | options
    return resolve_one(PipelineChoice("streaming", "direct", chosen), Options(device="cpu")).system


class Loaded(Direct):
    """Loaded once for all tests: these turns are independent."""

    def load(self) -> None:
        if self._assembled is None:
            super().load()

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def loaded() -> Direct:
    """Blocks of 500 ms."""
    pipeline = Loaded(system().settings)
    pipeline.load()
    return pipeline


@pytest.fixture
def put(loaded: Direct, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[TurnResult, TurnFigures]]:
    """One utterance on virtual time, on which nothing takes time but each block, `block_ms`."""

    def one(
        seconds: float, block_ms: int = 30, input: InputMode = "realtime", finds_end: bool = False
    ) -> tuple[TurnResult, TurnFigures]:
        clock = VirtualClock()
        embeddings = BlockEncoder.embeddings

        def working(self: BlockEncoder, block: Samples, trace: Trace) -> Any:
            made = embeddings(self, block, trace)
            with trace.stage("adaptor"):
                clock.advance(block_ms * MS)
            return made

        with monkeypatch.context() as patched:
            patched.setattr(BlockEncoder, "embeddings", working)
            played = replace(system(), finds_speech_end=finds_end)
            executor = InProcessExecutor(played, clock, lambda _: loaded)  # type: ignore[arg-type]
            executor.start()
            result = executor.run(1, followed_by_silence(seconds), TurnConfig(input, 10_000 * MS))
        evidence = make_evidence(
            **{name: getattr(result, name) for name in ("outcome", "trace", "delivery", "reply_levels")},
            kinds={stage.id: stage.kind for stage in loaded.declaration.stages},
        )
        return result, turn_figures(evidence)

    return one


def followed_by_silence(seconds: float) -> Utterance:
    clip = make_utterance(seconds=seconds)
    clip.samples[len(clip.speech()) :] = 0
    return clip


def begins(result: TurnResult, stage: str) -> list[int]:
    """When the spans of a stage began, in ms of the clip."""
    return [(span.start_ns - result.delivery.start_ns) // MS for span in result.trace.spans if span.stage == stage]


def test_every_block_is_worked_on_when_its_last_sample_has_arrived(put: Any) -> None:
    result, measured = put(2.345)
    assert result.outcome == "answered"
    assert begins(result, "features") == [500, 1000, 1500, 2000, 2345]
    assert begins(result, "llm.prefill") == [530, 1030, 1530, 2030, 2375]
    assert measured.figures["first_packet_latency"] == 30 * MS, "the last block alone is left"
    assert measured.figures["llm_first_token_latency"] == 30 * MS
    assert measured.figures["llm_ttft"] == 0, "what was taken in before is not waited for"
    assert measured.figures["late_blocks"] == 0
    assert {(part.stage, part.kind): part.ns for part in measured.path} == {("adaptor", "host"): 30 * MS}


def test_short_speech_is_one_block(put: Any) -> None:
    result, measured = put(0.3)
    assert begins(result, "features") == [300]
    assert measured.figures["first_packet_latency"] == 30 * MS


@pytest.mark.parametrize(
    ("block_ms", "seconds", "latency_ms", "late"),
    [
        (600, 2.4, 600 * 5 + 500 - 2400, 4 / 5),
        (499, 2.4, 4 * 500 + 499 + 499 - 2400, 1 / 5),
        (300, 2.1, 2000 + 600 - 2100, 1 / 5),
        (300, 2.4, 300, 0),
    ],
)
def test_blocks_that_come_too_fast_are_late_and_add_up(
    put: Any, block_ms: int, seconds: float, latency_ms: int, late: float
) -> None:
    """max(0, T - r) of the block before the last one, and T: or the whole backlog where T is longer than a block."""
    _, measured = put(seconds, block_ms)
    assert measured.figures["first_packet_latency"] == latency_ms * MS
    assert measured.figures["late_blocks"] == pytest.approx(late)


def test_with_file_input_all_work_begins_after_the_end(put: Any) -> None:
    result, measured = put(2.345, input="file")
    assert [span.stage for span in result.trace.spans].count("encoder") == 5
    assert min(span.start_ns for span in result.trace.spans) >= result.delivery.t0_ns
    assert measured.figures["first_packet_latency"] == 5 * 30 * MS
    assert "late_blocks" not in measured.figures, "all were complete at once"


def test_it_follows_a_detector_through_the_silence(put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        """Takes 300 ms of silence for the end."""

        silent = 0
        voiced = property(lambda self: self.silent == 0)
        over = property(lambda self: self.silent >= 4800)

        def push(self, frame: Samples) -> None:
            self.silent = 0 if frame.any() else self.silent + len(frame)

    monkeypatch.setattr(Endpointer, "heard", lambda _, speech, trace: OverheardSpeech(speech, trace, Counting()))
    result, measured = put(1.0, finds_end=True)
    assert begins(result, "features") == [500, 1000, 1300]
    assert measured.figures["first_packet_latency"] == 330 * MS


class Frames:
    """The user's speech in frames, of 20 ms by default; counts what was asked for."""

    sample_rate, language = 16_000, "en"

    def __init__(self, samples: Samples, frame: int = 320) -> None:
        self.samples = samples
        self.frame = frame
        self.given = 0

    def frames(self) -> Iterator[Samples]:
        for frame in in_frames(self.samples, self.frame):
            self.given += len(frame)
            yield frame


def noise(seconds: float) -> Samples:
    return np.random.default_rng(5).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


def reply(pipeline: Pipeline, samples: Samples, frame: int = 320) -> Samples:
    packets = pipeline.respond(Frames(samples, frame), Trace(MonotonicClock()))  # type: ignore[arg-type]
    return np.concatenate([packet.samples for packet in packets])


def test_speech_that_is_too_long_is_refused_as_soon_as_it_is(loaded: Direct) -> None:
    speech = Frames(noise(31))
    with pytest.raises(CorpusError, match=r"lasts over 30 s, but the speech encoder takes 30 s.*overlong=cut"):
        list(loaded.respond(speech, Trace(MonotonicClock())))  # type: ignore[arg-type]
    assert speech.given == 30 * 16_000 + 320
    assert reply(loaded, noise(1.0)).size, "the next turn is answered"


def test_nothing_after_the_limit_is_taken_in_with_cut() -> None:
    cutting = Loaded(system(overlong="cut", **{"encoder-block": "2000"}).settings)
    cutting.load()
    cut, whole = noise(31.03), noise(31.03)[: 30 * 16_000]
    expected = reply(cutting, whole)
    for frame in (320, 333, len(cut)):
        np.testing.assert_array_equal(reply(cutting, cut, frame), expected)
    assert cutting._ready().assistant.text_cache.length == cutting._ready().assistant.prompt_tokens + 3


def test_only_the_end_of_the_turn_follows_the_speech(loaded: Direct) -> None:
    ready = loaded._ready()
    after = ready.tokenizer.encode(f"{END_OF_TURN}{HEADER.format('assistant')}")
    assert ready.assistant.plan.prompt._after.tolist() == after
    assert ready.assistant.prompt_tokens - ready.assistant.head_tokens == 300 + len(after)


def test_the_declaration_says_when_it_can_begin() -> None:
    assert not Direct.declaration.starts_before_speech_ends
    assert Direct.declare({"encoder-context": "streaming"}).starts_before_speech_ends
    assert not Direct.declare({"encoder-context": "trimmed"}).starts_before_speech_ends
    assert not Direct.declare({"encoder-context": "streaming", "encoder-block": "whole"}).starts_before_speech_ends


def test_file_input_is_explained() -> None:
    options: dict[str, Any] = {"weights": "dummy"}
    early = PipelineChoice("early", "direct", options | {"encoder-context": "streaming"})
    late = PipelineChoice("late", "direct", options)
    for systems in ((early,), (early, late)):
        (notice,) = resolve(Options(device="cpu", pipelines=systems, input="file"))[1]
        assert notice.startswith("early can work while the user speaks, but file input")
        assert not resolve(Options(device="cpu", pipelines=systems, input="realtime"))[1]
    assert not resolve(Options(device="cpu", pipelines=(late,), input="file"))[1]


@pytest.mark.parametrize("block", ["0", "50", "150", "2100", "-500", "0.5", "all", "５００"])
def test_blocks_that_do_not_fit_are_refused(settings: Make, block: str) -> None:
    with pytest.raises(UsageError, match=rf"encoder-block is '{block}', but it must be 100 to 2000 ms in steps of 100"):
        Direct(settings(encoder_context="streaming", encoder_block=block))


@pytest.mark.parametrize("context", ["full", "trimmed"])
def test_a_block_without_streaming_is_refused(settings: Make, context: str) -> None:
    with pytest.raises(UsageError, match=rf"encoder-context={context} has no blocks. Remove encoder-block"):
        Direct(settings(encoder_context=context, encoder_block="500"))


def test_weights_are_refused_for_a_context_that_they_were_not_trained_for(settings: Make, published: Any) -> None:
    published.write_tokenizer()
    folder = str(published.write())
    asked = {"weights": folder, "max_new_tokens": 3, "chunk_units": "inf"}
    in_blocks = asked | {"encoder_context": "streaming", "encoder_block": "500"}
    with pytest.raises(UsageError, match="were not trained to hear speech in blocks"):
        Direct(settings(**in_blocks)).load()
    published.config["speech_encoder_context"] = "causal"
    published.write()
    with pytest.raises(WeightsError, match=r"context is 'causal', but it should be 'full' or 'streaming'"):
        Direct(settings(**in_blocks)).load()
    published.config["speech_encoder_context"] = "streaming"
    published.write()
    for context in ("full", "trimmed"):
        with pytest.raises(UsageError, match=rf"'{context}', but these weights were trained to hear speech in blocks"):
            Direct(settings(**asked, encoder_context=context)).load()
    pipeline = Direct(settings(**in_blocks))
    pipeline.load()
    assert pipeline.facts()["encoder_context"] == "streaming in blocks of 500 ms"
    assert reply(pipeline, noise(1.3)).size
