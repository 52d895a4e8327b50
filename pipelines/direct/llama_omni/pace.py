"""Marks the blocks of a turn, and those that had to wait: the model must work as fast as the user speaks."""

from __future__ import annotations

import torch

from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark

AT_ONCE_NS = NS_PER_MS
"""Frames that were there already are taken from the microphone in less."""


class Pace:
    """Follows one turn's blocks."""

    def __init__(self, trace: Trace, device: torch.device) -> None:
        self._trace = trace
        self._on_cuda = device.type == "cuda"
        self._ready_ns: int | None = None
        """When the host could go on, after the block before."""
        self._worked: torch.cuda.Event | None = None

    def begins(self) -> None:
        """Mark a block that is complete; it is late if it did not have to be waited for."""
        waited_ns = None if self._ready_ns is None else self._trace.clock.now_ns() - self._ready_ns
        at_work = self._worked is not None and not self._worked.query()  # type: ignore[no-untyped-call]
        late = at_work or (waited_ns is not None and waited_ns < AT_ONCE_NS)
        self._trace.mark(KnownMark.LATE_BLOCK if late else KnownMark.BLOCK)

    def launched(self) -> None:
        """Note that the host is done with a block; on CUDA the device may still be at work."""
        self._ready_ns = self._trace.clock.now_ns()
        if self._on_cuda:
            self._worked = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._worked.record()
