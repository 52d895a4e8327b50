"""Profiles turns in a process that measures nothing else, to see when the device was really busy."""

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
    """Profiles one turn after another. Never raises: a turn without a profile still counts."""

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
        # CUPTI must have run once before a graph is captured, or it cannot see inside its replays; its first use takes
        # 0.2 s.
        self.start()
        self.stop()

    def mark(self, stage: str) -> Range:
        """A profiler annotation."""
        marked: Range = self._torch.profiler.record_function(MARK + stage)
        return marked

    def start(self) -> None:
        """Start a session that covers all threads: a pipeline's stages may run in any of them."""
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
        return (
            found
            if found.work
            else GpuProfile(problem="the profiler recorded no GPU work (is CUPTI installed and permitted?)")
        )

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
        """Launch some unmarked work first, since a session may drop its first records (pytorch#192021)."""
        torch = self._torch
        with self.mark(SETTLING):
            for _ in range(SETTLING_FILLS):
                torch.zeros(1, device=self._device)
        torch.cuda.synchronize(self._device)
