"""A system inside this process, on any clock: for whole runs on virtual time, and to test plugins."""

from __future__ import annotations

import os
from dataclasses import replace

from firstpacket.bench import registry
from firstpacket.bench.addresses import is_loopback
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.gpu.profiler import GpuProfiler
from firstpacket.bench.host.listeners import local_servers
from firstpacket.bench.pipeline import Pipeline, Samples
from firstpacket.bench.record.schema import LabelFacts, System, TurnResult
from firstpacket.bench.run.executor import NO_PACKET, TurnConfig
from firstpacket.bench.run.microphone import Microphone, noise_floor
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform, prepared
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import PacketStamp
from firstpacket.bench.timing.trace import Trace


class InProcessExecutor:
    """Runs turns on the given clock. Deadlines are applied afterwards, since only listening can be interrupted here."""

    def __init__(
        self,
        system: System,
        clock: Clock,
        pipeline: type[Pipeline] | None = None,
        gpu: GpuRecorder | None = None,
        profiler: GpuProfiler | None = None,
    ) -> None:
        self._system = system
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
        system = self._system
        began_ns = self._clock.now_ns()
        plugin = self._plugin or registry.pipeline(system.pipeline)
        pipeline = plugin(system.settings)
        pipeline.load()
        self._pipeline = pipeline
        load_ns = self._clock.now_ns() - began_ns
        return LabelFacts(
            system.label,
            load_ns,
            os.getpid(),
            pipeline.weights(),
            dict(pipeline.facts()),
            servers=local_servers(pipeline.servers()),
            notices=pipeline.notices(),
            remote=not all(map(is_loopback, pipeline.servers())),
        )

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        """Play one utterance; the reply's audio is not kept."""
        assert self._pipeline is not None
        speech = HeardSpeech(self._clock, utterance.language)
        profiler = self._profiler
        if profiler is not None:
            profiler.start()
        trace = Trace(self._clock, self._gpu, profiler.mark if profiler is not None else None, speech.cancellation)
        unprepared = prepared(self._pipeline, trace)
        if self._gpu is not None:
            self._gpu.begin_turn()
        until_ns: int | None = None

        def hear(frame: Samples) -> None:
            if until_ns is not None and self._clock.now_ns() > until_ns:
                speech.cancel()
            speech.hear(frame)

        silence = noise_floor(utterance.samples) if self._system.finds_speech_end else None
        microphone = Microphone(self._clock, utterance.speech(), hear, speech.end, silence)
        playing = None
        if config.input == "file":
            microphone.hand_over()
        else:
            until_ns = microphone.begin() + config.deadline_ns
            playing = self._clock.spawn(microphone.play, "microphone")
        result, _ = perform(turn, self._pipeline, speech, trace, self._gpu, _ignore, config.leave_after, unprepared)
        microphone.stop()
        if playing is not None:
            self._clock.join(playing)
        profile = profiler.stop() if profiler is not None else None
        result = replace(result, delivery=microphone.delivery(), profile=profile)
        return self._judged(result, config.deadline_ns)

    def _judged(self, result: TurnResult, deadline_ns: int) -> TurnResult:
        """The result that a worker would have given, which is cancelled at the deadline."""
        packets, until_ns = result.trace.packets, result.delivery.t0_ns + deadline_ns
        in_time = bool(packets) and packets[0].at_ns <= until_ns
        if in_time or self._clock.now_ns() <= until_ns:
            return result
        return replace(result, outcome="timeout", reason=NO_PACKET)

    def stop(self) -> tuple[str, ...]:
        """Close the pipeline; processes that it leaves behind are not looked for."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
        return ()


def _ignore(_: PacketStamp) -> None:
    """Here nothing waits for the first packet."""
