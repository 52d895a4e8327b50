"""Turns of one system in this process, listening to a microphone that waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from typing import Any

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.figures import TurnFigures, turn_figures
from firstpacket.bench.pipeline import Pipeline, Samples, Work
from firstpacket.bench.record.schema import Delivery, Evidence, System, TurnResult
from firstpacket.bench.run.microphone import FRAME_SAMPLES
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform, prepared
from firstpacket.bench.timing.clock import Clock, MonotonicClock
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.tools.roofline.operators import Kind, OperatorCounter


class PatientMicrophone:
    """Gives the next 20 ms of speech when the pipeline asks for them, and stamps t0 as it gives the last.

    So whatever can be done while the user speaks is done by then, as with real speech that is slow enough, but without
    the wait. An inbox of `HeardSpeech`.
    """

    def __init__(self, clock: Clock, speech: Samples, before_last: Callable[[], object]) -> None:
        self._clock = clock
        self._before_last = before_last
        self._frames = self._played(speech)
        self.t0_ns = 0

    def put(self, item: Any) -> None:
        """Nothing else is heard."""

    def get(self) -> Samples | None:
        """The next frame; None once speech is over."""
        return next(self._frames, None)

    def _played(self, speech: Samples) -> Iterator[Samples]:
        last = max(0, len(speech) - 1) // FRAME_SAMPLES * FRAME_SAMPLES
        for begin in range(0, last, FRAME_SAMPLES):
            yield speech[begin : begin + FRAME_SAMPLES]
        self._before_last()
        self.t0_ns = self._clock.now_ns()
        yield speech[last:]


class LoadedSystem:
    """A system that is loaded, and answers one clip after another."""

    def __init__(self, system: System) -> None:
        """Load it. Raises `UsageError` if its floor is unknown, and what `Pipeline.load` raises."""
        if system.finds_speech_end:
            raise UsageError(
                f"'{system.label}' must find the end of speech itself, and that wait has no floor. Set endpoint=oracle."
            )
        self.label = system.label
        self._system = system
        self._clock = MonotonicClock()
        self._gpu = GpuRecorder(TorchCuda(system.device), self._clock) if system.device.startswith("cuda") else None
        self._pipeline: Pipeline = registry.pipeline(system.pipeline)(system.settings)
        self._pipeline.load()
        self._turns = 0

    @property
    def on_gpu(self) -> bool:
        """Whether the device works by itself while the host launches."""
        return self._gpu is not None

    def work(self, clip: Utterance) -> tuple[Work, ...]:
        """The least work of the first packet. Raises `UsageError` if the pipeline does not declare it."""
        return declared(self._pipeline, self._system, clip)

    def turn(self, clip: Utterance) -> TurnFigures:
        """Figures of one turn. Raises `UsageError` if it was not answered."""
        return self._turn(clip)

    def operators(self, clip: Utterance) -> Mapping[str, Mapping[Kind, int]]:
        """The operators that one turn launches between t0 and the first packet, by stage and kind."""
        counter = OperatorCounter()
        self._turn(clip, counter)
        return counter.counts

    def close(self) -> None:
        """Release the weights."""
        self._pipeline.close()

    def _turn(self, clip: Utterance, counter: OperatorCounter | None = None) -> TurnFigures:
        self._turns += 1
        microphone = PatientMicrophone(self._clock, clip.speech(), lambda: self._before_last(counter))
        speech = HeardSpeech(self._clock, clip.language, microphone)
        trace = Trace(self._clock, self._gpu, counter.stage if counter else None, speech.cancellation)
        unprepared = prepared(self._pipeline, trace)
        if self._gpu is not None:
            self._gpu.begin_turn()
        arrived = counter.first_packet if counter else _nothing
        with counter if counter else nullcontext():
            result, _ = perform(
                self._turns, self._pipeline, speech, trace, self._gpu, lambda _: arrived(), unprepared=unprepared
            )
        if result.outcome != "answered":
            raise UsageError(
                f"'{self.label}' did not answer {clip.id}: {result.outcome}. {result.reason}".strip()
                + " A roofline needs an answer to every clip; use another corpus."
            )
        return turn_figures(self._evidence(result, clip, microphone.t0_ns))

    def _before_last(self, counter: OperatorCounter | None) -> None:
        if self._gpu is not None:
            import torch

            torch.cuda.synchronize(self._system.device)
        if counter is not None:
            counter.speech_over()

    def _evidence(self, result: TurnResult, clip: Utterance, t0_ns: int) -> Evidence:
        known = {each.name: getattr(result, each.name) for each in fields(result)}
        known["delivery"] = Delivery(t0_ns, t0_ns, t0_ns, (0,))
        return Evidence(**known, label=self.label, utterance=clip.id, kinds=self._system.kinds)


def declared(pipeline: Pipeline, system: System, clip: Utterance) -> tuple[Work, ...]:
    """The work of the first packet after a clip. Raises `UsageError` if the pipeline does not declare it."""
    work = pipeline.work(clip.speech_end_ms / 1000)
    if not work:
        raise UsageError(
            f"Pipeline '{system.pipeline}' does not declare the work of its first packet, so it has no roofline. "
            "Implement work() to add it."
        )
    return work


def spread(clips: Sequence[Utterance], count: int) -> list[Utterance]:
    """So many clips, spread evenly over their lengths; with too few, some of them several times."""
    by_length = sorted(clips, key=lambda clip: (clip.speech_end_ms, clip.id))
    return [by_length[(2 * place + 1) * len(by_length) // (2 * count)] for place in range(count)]


def _nothing() -> None:
    """Nobody waits for the first packet."""
