"""Turns under a profiler, in a process that measures nothing else: when the device really worked."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from firstpacket.bench.gpu.kineto import MARK, SETTLING, profile_of, read_trace
from firstpacket.bench.record.gpu import GpuProfile
from firstpacket.bench.sanitize import reason
from firstpacket.bench.timing.trace import Range

SETTLING_FILLS = 8


class GpuProfiler(Protocol):
    """Profiles one turn after another. Nothing in it raises: without a profile the turn still counts as asked."""

    def mark(self, stage: str) -> Range:
        """Mark the stage on the calling thread, for `Trace`."""
        ...

    def start(self) -> None:
        """A turn is about to begin."""
        ...

    def stop(self) -> GpuProfile:
        """It is over, and so is the device's work for it."""
        ...


class TorchProfiler:
    """torch.profiler (CUPTI) on one CUDA device. Make it before any graph is captured."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)
        self._session: Any = None
        self._problem = ""
        # CUPTI must have been at work once before a graph is captured, or it does not see into its replays; and its
        # first use takes a fifth of a second.
        self.start()
        self.stop()

    def mark(self, stage: str) -> Range:
        """An annotation of the profiler."""
        marked: Range = self._torch.profiler.record_function(MARK + stage)
        return marked

    def start(self) -> None:
        """Begin a session that sees all threads; a pipeline's stages may run in any."""
        self._problem = ""
        try:
            self._session = self._new_session()
            self._session.start()
            self._settle()
        except Exception as error:  # without CUPTI, without permission, or with a profiler at work already
            self._give_up(error)

    def stop(self) -> GpuProfile:
        """End the session and read what it saw."""
        session, self._session = self._session, None
        if session is None:
            return GpuProfile(problem=self._problem)
        try:
            self._torch.cuda.synchronize(self._device)
            session.stop()
            with tempfile.TemporaryDirectory(prefix="bench-profile-") as folder:
                file = Path(folder) / "trace.json"
                session.export_chrome_trace(str(file))
                found = profile_of(read_trace(file), self._device.index or 0)
        except Exception as error:
            return GpuProfile(problem=reason(error))
        return found if found.work else GpuProfile(problem="the profiler saw no work of the device (is CUPTI there?)")

    def _new_session(self) -> Any:
        from torch._C._profiler import _ExperimentalConfig

        activity = self._torch.profiler.ProfilerActivity
        every_thread = _ExperimentalConfig(profile_all_threads=True)
        return self._torch.profiler.profile(activities=[activity.CPU, activity.CUDA], experimental_config=every_thread)

    def _give_up(self, error: Exception) -> None:
        session, self._session, self._problem = self._session, None, reason(error)
        if session is not None:
            with suppress(Exception):
                session.stop()

    def _settle(self) -> None:
        """A session may drop its first records (pytorch#192021): let them be of work that nobody asks about."""
        torch = self._torch
        with self.mark(SETTLING):
            for _ in range(SETTLING_FILLS):
                torch.zeros(1, device=self._device)
        torch.cuda.synchronize(self._device)
