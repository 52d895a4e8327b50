"""The worker of another version of the code, measured concurrently with this one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstpacket.bench.errors import BenchError, NotComparable, RunError
from firstpacket.bench.record.schema import LabelFacts, System
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.protocol import Instrument


class BaselineExecutor(ProcessExecutor):
    """Runs turns on another version; if that cannot be loaded, the two are not comparable."""

    def __init__(
        self,
        system: System,
        log: Path,
        own_environment: Mapping[str, str],
        version: CodeVersion,
        instruments: tuple[Instrument, ...] = (),
        cpus: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(system, log, version.environment_from(own_environment), version.python, instruments, cpus)
        self._version = version

    def start(self) -> LabelFacts:
        """Start and load. Raises `NotComparable` if that version cannot be loaded."""
        try:
            return super().start()
        except RunError:
            raise
        except (BenchError, OSError) as error:
            raise NotComparable(
                f"{self._version.name} cannot be measured: {error} If it needs files that are not in the repository "
                "(built extensions, models), pass --against the Python of an environment where that version and "
                "firstpacket are installed."
            ) from error
