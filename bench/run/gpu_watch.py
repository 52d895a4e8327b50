"""Reads every GPU in use by the run before and after each turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from firstpacket.bench.gpu.nvml import Device, Nvml
from firstpacket.bench.host.listeners import LocalServer, descends_from
from firstpacket.bench.record.gpu import GpuIdentity, GpuReading, GpuTelemetry
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.timing.clock import MonotonicClock


@dataclass(slots=True)
class _Watched:
    """One GPU, found or not, with the worker processes that use it."""

    device: Device | None
    uuid: str
    problem: str = ""
    workers: dict[str, int] = field(default_factory=dict)
    before: GpuReading | None = None


class GpuWatch:
    """Reads before and after a turn; NVML is loaded only if a system uses a GPU."""

    def __init__(
        self,
        load: Callable[[], Nvml | str] = Nvml.load,
        now_ns: Callable[[], int] = MonotonicClock.now_ns,
        belongs: Callable[[int], bool] | None = None,
    ) -> None:
        self._load = load
        self._now_ns = now_ns
        self._belongs = belongs or _descends_from_here
        self._nvml: Nvml | str | None = None
        self._watched: dict[GpuIdentity, _Watched] = {}
        self._servers: dict[str, tuple[LocalServer, ...]] = {}

    def started(self, facts: LabelFacts) -> None:
        """A worker has loaded: from now on its GPU is read too, and servers that it uses count as the run's own."""
        self._servers[facts.label] = facts.servers
        for watched in self._watched.values():
            watched.workers.pop(facts.label, None)
        if facts.gpu is None:
            return
        if facts.gpu not in self._watched:
            self._watched[facts.gpu] = self._found(facts.gpu)
        self._watched[facts.gpu].workers[facts.label] = facts.pid

    def before(self) -> None:
        """A turn is about to be run."""
        for watched in self._watched.values():
            watched.before = self._read(watched)

    def after(self) -> tuple[GpuTelemetry, ...]:
        """Every GPU before and after the turn."""
        return tuple(self._beside(watched) for watched in self._watched.values() if watched.workers)

    def _found(self, identity: GpuIdentity) -> _Watched:
        if self._nvml is None:
            self._nvml = self._load()
        device = self._nvml if isinstance(self._nvml, str) else self._nvml.find(identity)
        if isinstance(device, str):
            return _Watched(None, identity.uuid, problem=f"NVML cannot read this GPU: {device}")
        return _Watched(device, device.uuid)

    def _read(self, watched: _Watched) -> GpuReading | None:
        if watched.device is None or not isinstance(self._nvml, Nvml):
            return None
        at_ns = self._now_ns()
        found = self._nvml.read(watched.device, watched.workers.values(), self._is_own, at_ns)
        if found == GpuReading(at_ns):
            watched.problem = f"NVML gives no readings: {self._nvml.refusal}"
            return None
        return found

    def _is_own(self, pid: int) -> bool:
        servers = [pid for found in self._servers.values() for server in found for pid in server.pids]
        return self._belongs(pid) or descends_from(pid, servers)

    def _beside(self, watched: _Watched) -> GpuTelemetry:
        before, watched.before = watched.before, None
        after, device = self._read(watched), watched.device
        return GpuTelemetry(
            uuid=watched.uuid,
            index=device.index if device else None,
            labels=tuple(watched.workers),
            before=before,
            after=after,
            mig=device is not None and device.mig,
            problem=watched.problem if before is None or after is None else "",
        )


def _descends_from_here(pid: int) -> bool:
    return descends_from(pid, [os.getpid()])
