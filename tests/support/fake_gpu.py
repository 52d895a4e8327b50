"""A GPU on virtual time: launches return at once, streams work in order, and its clock has an offset and a drift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from firstpacket.bench.record.gpu import DeviceWork, GpuProfile
from firstpacket.bench.timing.clock import VirtualClock


@dataclass
class FakeEvent:
    at_ns: int = 0


@dataclass
class FakeGpu:
    """`offset_ns`, `drift_ppm` and `wander_ppm` (a slow change of the drift) are what the recorder must see through."""

    clock: VirtualClock
    offset_ns: int = 0
    drift_ppm: float = 0.0
    wander_ppm_per_s: float = 0.0
    latency_ns: int = 5_000
    stream: int = 0
    capturing: bool = False
    drained_ns: dict[int, int] = field(default_factory=dict)
    truth: list[tuple[str, int, int]] = field(default_factory=list)
    launching_for: str = ""

    def launch(self, duration_ns: int, stage: str = "") -> None:
        """Queue work on the current stream."""
        start_ns = max(self.clock.now_ns(), self.drained_ns.get(self.stream, 0))
        self.drained_ns[self.stream] = start_ns + duration_ns
        self.truth.append((stage or self.launching_for, start_ns, start_ns + duration_ns))

    def stream_waits(self, event: FakeEvent) -> None:
        """Make the current stream wait for an event of another one."""
        self.drained_ns[self.stream] = max(self.drained_ns.get(self.stream, 0), event.at_ns)

    def new_event(self) -> FakeEvent:
        return FakeEvent()

    def current_stream(self) -> tuple[int, int]:
        return self.stream, self.stream

    def record(self, event: FakeEvent, stream: int) -> None:
        event.at_ns = max(self.clock.now_ns(), self.drained_ns.get(stream, 0))

    def elapsed_ms(self, start: FakeEvent, end: FakeEvent) -> float:
        return float(np.float32((self._device_ns(end.at_ns) - self._device_ns(start.at_ns)) / 1e6))

    def synchronize(self) -> None:
        self.clock.sleep_until_ns(max(self.drained_ns.values(), default=0))

    def wait_for(self, event: FakeEvent) -> None:
        self.clock.sleep_until_ns(event.at_ns + self.latency_ns)

    def is_capturing(self) -> bool:
        return self.capturing

    def _device_ns(self, host_ns: int) -> float:
        seconds = host_ns / 1e9
        return (
            self.offset_ns + host_ns * (1 + self.drift_ppm * 1e-6) + self.wander_ppm_per_s * 1e-6 * seconds**2 / 2 * 1e9
        )


@dataclass
class FakeProfiler:
    """Sees every launch on a fake GPU, and by the marks for which stage it was; `problem` makes it see nothing."""

    gpu: FakeGpu
    problem: str = ""
    begun: int = 0

    @contextmanager
    def mark(self, stage: str) -> Iterator[None]:
        outside = self.gpu.launching_for
        self.gpu.launching_for = stage
        yield
        self.gpu.launching_for = outside

    def start(self) -> None:
        self.begun = len(self.gpu.truth)

    def stop(self) -> GpuProfile:
        if self.problem:
            return GpuProfile(problem=self.problem)
        self.gpu.synchronize()
        stretches: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for stage, start_ns, end_ns in self.gpu.truth[self.begun :]:
            stretches[stage].append((start_ns, end_ns))
        return GpuProfile(tuple(DeviceWork(stage, len(own), tuple(own)) for stage, own in stretches.items()))
