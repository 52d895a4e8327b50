"""Reads the machine's state just before and after each turn, in the manager, outside the turn."""

from __future__ import annotations

from typing import Protocol

from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.telemetry import Telemetry
from firstpacket.bench.run.gpu_watch import GpuWatch
from firstpacket.bench.run.host_watch import HostWatch


class Watch(Protocol):
    """Notified of every turn by the manager. It never raises: a failed reading is missing."""

    def started(self, facts: LabelFacts) -> None:
        """A worker has loaded, for the first time or again."""
        ...

    def before(self) -> None:
        """A turn is about to be run."""
        ...

    def after(self) -> Telemetry | None:
        """The turn is over: the telemetry since `before`; `None` from a watch that reads nothing."""
        ...


class NoWatch:
    """Reads nothing: turns on virtual time have no machine to read."""

    def started(self, facts: LabelFacts) -> None:
        """Nothing."""

    def before(self) -> None:
        """Nothing."""

    def after(self) -> Telemetry | None:
        """Nothing."""
        return None


class MachineWatch:
    """Reads the machine that a run is made on."""

    def __init__(self, host: HostWatch, gpus: GpuWatch) -> None:
        self._host = host
        self._gpus = gpus

    def started(self, facts: LabelFacts) -> None:
        """Learn which GPU and which servers the worker uses; the host watch finds workers by itself."""
        self._host.started(facts)
        self._gpus.started(facts)

    def before(self) -> None:
        """Read the host last, so that reading GPUs does not count as part of the turn."""
        self._gpus.before()
        self._host.before()

    def after(self) -> Telemetry:
        """Read the host first."""
        host = self._host.after()
        return Telemetry(host=host, gpus=self._gpus.after())
