"""GPU time on the host's timeline: event pairs on the stages' own streams, tied to the host clock by anchors.

An anchor is an event bracketed by two host stamps: its device time lies between them. One is taken before the turn and
one after it, both while the device is idle; in between, an event's place on the host's line is interpolated, which
removes the offset and a constant drift of the device's clock. What remains is stated with every span:

    error = larger half-width of the two brackets
          + event resolution (0.5 µs: CUDA runtime documentation, cudaEventElapsedTime)
          + one float32 step of the elapsed time (the driver returns float32 milliseconds)
          + bound on the curvature of the drift: DRIFT_CHANGE_PER_S * T² / 8 over a turn of T seconds

No call in here blocks between `begin_turn` and `end_turn`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.spans import GpuSpan

ANCHOR_ATTEMPTS = 20
EVENT_RESOLUTION_NS = 500
DRIFT_CHANGE_PER_S = 1e-7
"""Assumed bound on how fast the two clocks' ratio changes: 0.1 ppm per second (quartz warming by 0.1 K/s or so)."""


class GpuDevice(Protocol):
    """What the recorder needs from a GPU; implemented by torch and by the fake device of the tests."""

    def new_event(self) -> Any:
        """A timing event."""
        ...

    def current_stream(self) -> tuple[int, Any]:
        """The stream on which work launched now would run: a number for it, and a handle."""
        ...

    def record(self, event: Any, stream: Any) -> None:
        """Record an event on a stream; returns at once."""
        ...

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Device time between two completed events, as float32 milliseconds."""
        ...

    def synchronize(self) -> None:
        """Wait until the device is idle."""
        ...

    def wait_for(self, event: Any) -> None:
        """Wait until the event has completed."""
        ...

    def is_capturing(self) -> bool:
        """Whether the current stream is capturing a graph."""
        ...


class TorchCuda:
    """A CUDA device through torch. Raises `MissingDependency` when torch cannot use it."""

    def __init__(self, device: str) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingDependency(
                f"Device {device} needs torch, which is not installed. Install it with: {install_command('direct')}"
            ) from error
        if not torch.cuda.is_available():
            raise MissingDependency(
                f"--device {device} needs CUDA, but torch {torch.__version__} finds no CUDA device. Use --device cpu, "
                "or install a CUDA build of torch (`bench doctor` shows what is installed)."
            )
        self._torch = torch
        self._device = torch.device(device)

    def new_event(self) -> Any:
        """A timing event of this device."""
        new_event: Any = self._torch.cuda.Event
        return new_event(enable_timing=True)

    def current_stream(self) -> tuple[int, Any]:
        """The stream's CUDA handle and torch's object."""
        stream = self._torch.cuda.current_stream(self._device)
        return stream.cuda_stream, stream

    def record(self, event: Any, stream: Any) -> None:
        """Record on the stream."""
        event.record(stream)

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Milliseconds from start to end."""
        return float(start.elapsed_time(end))

    def synchronize(self) -> None:
        """Wait for the device."""
        self._torch.cuda.synchronize(self._device)

    def wait_for(self, event: Any) -> None:
        """Wait for the event."""
        event.synchronize()

    def is_capturing(self) -> bool:
        """Whether a CUDA graph is being captured."""
        return bool(self._torch.cuda.is_current_stream_capturing())


@dataclass(frozen=True, slots=True)
class Anchor:
    """One event whose host time is known to within `half_width_ns`."""

    event: Any
    at_ns: float
    half_width_ns: float


class PendingSpan:
    """A pair of events on the stream that was current when the stage was entered."""

    __slots__ = ("_end", "_recorder", "_start", "_stream", "_stream_id")

    def __init__(self, recorder: GpuRecorder) -> None:
        self._recorder = recorder
        self._start: Any = None
        self._end: Any = None

    def start(self) -> None:
        """Record the first event, unless a graph is being captured."""
        device = self._recorder.device
        if device.is_capturing():
            return
        self._stream_id, self._stream = device.current_stream()
        self._start = self._recorder.take_event()
        device.record(self._start, self._stream)

    def end(self) -> None:
        """Record the second event on the same stream."""
        if self._start is not None:
            self._end = self._recorder.take_event()
            self._recorder.device.record(self._end, self._stream)

    def resolved(self) -> GpuSpan | None:
        """The span on the host's timeline; `None` if nothing was recorded. Valid after `GpuRecorder.end_turn`."""
        if self._start is None or self._end is None:
            return None
        start_ns, start_error_ns = self._recorder.on_host(self._start)
        end_ns, end_error_ns = self._recorder.on_host(self._end)
        return GpuSpan(self._stream_id, start_ns, max(start_ns, end_ns), max(start_error_ns, end_error_ns))


class GpuRecorder:
    """Hands out event pairs during a turn and maps them to the host's timeline afterwards."""

    def __init__(self, device: GpuDevice, clock: Clock) -> None:
        self.device = device
        self._clock = clock
        self._pool: list[Any] = []
        self._taken: list[Any] = []
        self._before: Anchor | None = None
        self._after: Anchor | None = None

    def begin_turn(self) -> None:
        """Wait for the device, take back the events of the last turn, and set the first anchor."""
        self._pool.extend(self._taken)
        self._taken = []
        if self._before is not None:
            self._pool.append(self._before.event)
        if self._after is not None:
            self._pool.append(self._after.event)
        self._after = None
        self._before = self._anchor()

    def end_turn(self) -> None:
        """Wait for the device and set the second anchor; spans can be resolved from here on."""
        self._after = self._anchor()

    def pending_span(self) -> PendingSpan:
        """A span for a stage that is about to be entered."""
        return PendingSpan(self)

    def take_event(self) -> Any:
        """An event from the pool, or a new one."""
        event = self._pool.pop() if self._pool else self.device.new_event()
        self._taken.append(event)
        return event

    def on_host(self, event: Any) -> tuple[int, int]:
        """Map a completed event to the host's timeline: (stamp in ns, bound of its error in ns)."""
        before, after = self._before, self._after
        if before is None or after is None:
            raise RuntimeError("GPU spans can be read only after end_turn().")
        turn_ms = self.device.elapsed_ms(before.event, after.event)
        elapsed_ms = self.device.elapsed_ms(before.event, event)
        rate = (after.at_ns - before.at_ns) / (turn_ms * 1e6) if turn_ms > 0 else 1.0
        turn_s = (after.at_ns - before.at_ns) / 1e9
        error_ns = (
            max(before.half_width_ns, after.half_width_ns)
            + EVENT_RESOLUTION_NS
            + float(np.spacing(np.float32(max(turn_ms, elapsed_ms)))) * 1e6
            + DRIFT_CHANGE_PER_S * turn_s**2 / 8 * 1e9
        )
        return round(before.at_ns + elapsed_ms * 1e6 * rate), int(np.ceil(error_ns))

    def _anchor(self) -> Anchor:
        """The tightest of several brackets, taken while the device is idle."""
        self.device.synchronize()
        _, stream = self.device.current_stream()
        best: Anchor | None = None
        for _ in range(ANCHOR_ATTEMPTS):
            event = self._pool.pop() if self._pool else self.device.new_event()
            early_ns = self._clock.now_ns()
            self.device.record(event, stream)
            self.device.wait_for(event)
            late_ns = self._clock.now_ns()
            anchor = Anchor(event, (early_ns + late_ns) / 2, (late_ns - early_ns) / 2)
            if best is None or anchor.half_width_ns < best.half_width_ns:
                best, anchor = anchor, best or anchor
            if anchor is not best:
                self._pool.insert(0, anchor.event)
        assert best is not None
        return best
