"""Looks at the machine just before a turn and just after it: outside the turn, in the manager."""

from __future__ import annotations

from typing import Protocol

from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.telemetry import Telemetry
from firstpacket.bench.run.gpu_watch import GpuWatch
from firstpacket.bench.run.host_watch import HostWatch


class Watch(Protocol):
    """Told of every turn by the manager. Nothing it meets may raise: a reading that fails is absent."""

    def started(self, facts: LabelFacts) -> None:
        """A label's process has loaded, for the first time or again."""
        ...

    def before(self) -> None:
        """A turn is about to be run."""
        ...

    def after(self) -> Telemetry | None:
        """Its reply is there: what went on since `before`; `None` from a watch that looks at nothing."""
        ...


class NoWatch:
    """Looks at nothing: turns on virtual time have no machine beside them."""

    def started(self, facts: LabelFacts) -> None:
        """Nothing."""

    def before(self) -> None:
        """Nothing."""

    def after(self) -> Telemetry | None:
        """Nothing."""
        return None


class MachineWatch:
    """Looks at the machine that a run is made on."""

    def __init__(self, host: HostWatch, gpus: GpuWatch) -> None:
        self._host = host
        self._gpus = gpus

    def started(self, facts: LabelFacts) -> None:
        """Learn which GPU the label works on; the host knows the run's processes by their descent."""
        self._gpus.started(facts)

    def before(self) -> None:
        """Look at the host last: the others' work is then not taken for the turn's."""
        self._gpus.before()
        self._host.before()

    def after(self) -> Telemetry:
        """Look at the host first."""
        host = self._host.after()
        return Telemetry(host=host, gpus=self._gpus.after())
