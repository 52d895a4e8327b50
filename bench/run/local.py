"""A label inside this process, on any clock: whole runs on virtual time, and plugins tried without a process."""

from __future__ import annotations

import os

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.gpu.profiler import GpuProfiler
from firstpacket.bench.pipeline import Pipeline, Samples, Settings
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.run.asking import LabelRequest, Reply, Rules
from firstpacket.bench.run.microphone import Microphone
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import PacketStamp
from firstpacket.bench.timing.trace import Trace


class LocalRespondent:
    """Performs turns on the given clock. A deadline is judged afterwards: only listening can be interrupted here."""

    def __init__(
        self,
        request: LabelRequest,
        clock: Clock,
        pipeline: type[Pipeline] | None = None,
        gpu: GpuRecorder | None = None,
        profiler: GpuProfiler | None = None,
    ) -> None:
        self._request = request
        self._clock = clock
        self._plugin = pipeline
        self._gpu = gpu
        self._profiler = profiler
        self._pipeline: Pipeline | None = None

    @property
    def ready(self) -> bool:
        """Whether the pipeline is loaded."""
        return self._pipeline is not None

    def start(self) -> LabelFacts:
        """Load the pipeline here."""
        request = self._request
        began_ns = self._clock.now_ns()
        plugin = self._plugin or registry.pipeline(request.pipeline)
        pipeline = plugin(Settings(request.device, request.dtype, request.seed, request.options))
        pipeline.load()
        self._pipeline = pipeline
        load_ns = self._clock.now_ns() - began_ns
        return LabelFacts(request.label, load_ns, os.getpid(), pipeline.weights(), dict(pipeline.facts()))

    def ask(self, turn: int, utterance: Utterance, rules: Rules, keep_audio: str) -> Reply:
        """Put one utterance."""
        assert self._pipeline is not None
        speech = HeardSpeech(self._clock, utterance.language)
        profiler = self._profiler
        if profiler is not None:
            profiler.start()
        trace = Trace(self._clock, self._gpu, profiler.mark if profiler is not None else None)
        if self._gpu is not None:
            self._gpu.begin_turn()
        until_ns: int | None = None

        def hear(frame: Samples) -> None:
            if until_ns is not None and self._clock.now_ns() > until_ns:
                speech.cancel()
            speech.hear(frame)

        microphone = Microphone(self._clock, utterance.speech(), hear, speech.end, self._request.finds_speech_end)
        playing = None
        if rules.input == "file":
            microphone.hand_over()
        else:
            until_ns = microphone.begin() + rules.deadline_ns
            playing = self._clock.spawn(microphone.play, "microphone")
        answered = perform(self._pipeline, speech, trace, self._gpu, rules.audible, _ignore)
        microphone.stop()
        if playing is not None:
            self._clock.join(playing)
        profile = profiler.stop() if profiler is not None else None
        delivery = microphone.delivery()
        outcome, reason = answered.outcome, answered.reason
        packets = answered.trace.packets
        if not packets or packets[0].at_ns > delivery.t0_ns + rules.deadline_ns:
            late = self._clock.now_ns() > delivery.t0_ns + rules.deadline_ns
            outcome, reason = ("timeout", "no packet by the deadline") if late else (outcome, reason)
        return Reply(
            outcome, delivery, answered.trace, answered.reply_levels, "", reason, answered.flags, None, profile
        )

    def stop(self) -> None:
        """Close the pipeline."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None


def _ignore(_: PacketStamp) -> None:
    """Nobody waits for the first packet here."""
