"""One start of a run: fresh workers for all systems, and the turns of a schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from firstpacket.bench import environment
from firstpacket.bench.addresses import is_loopback
from firstpacket.bench.corpus.utterance import Corpus
from firstpacket.bench.host.other_processes import Neighbours
from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.metrics.usage_limits import in_force
from firstpacket.bench.record.rules import UsageLimits
from firstpacket.bench.record.schema import LabelFacts, Manifest, Segment, System, Turn
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.run.base_version_worker import BaselineExecutor
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.gpu_watch import GpuWatch
from firstpacket.bench.run.host_watch import HostWatch, host_counters
from firstpacket.bench.run.manager import Manager, Progress
from firstpacket.bench.run.pinning import pinned_cpus
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.profiling import profiled_labels
from firstpacket.bench.run.protocol import Instrument
from firstpacket.bench.run.schedule.base import Schedule
from firstpacket.bench.run.schedule.full_run import full_schedule
from firstpacket.bench.run.watch import MachineWatch
from firstpacket.bench.run.worker_environment import worker_environment


@dataclass(frozen=True, slots=True)
class Setup:
    """What all starts of a run have in common."""

    manifest: Manifest
    corpus: Corpus
    packages: dict[str, str]
    """Versions of the packages that the systems need."""
    base: CodeVersion | None = None
    """The version of the code that systems with a `source` run on."""


def run_segment(
    setup: Setup,
    writer: RunWriter,
    progress: Progress,
    already: Sequence[Turn] = (),
    number: int = 0,
    spent_ns: int = 0,
    schedule: Callable[..., Schedule] = full_schedule,
    pairs: int | None = None,
) -> None:
    """Start all systems, and run what is left after the turns `already` of earlier starts; this is start `number`.

    `schedule` and `pairs` are the manager's.

    Raises `BenchError` and `KeyboardInterrupt` as `Manager.run` does.
    """
    manifest, base = setup.manifest, setup.base
    neighbours = Neighbours()
    surroundings = worker_environment(manifest.threads)
    cpus = pinned_cpus(manifest.options.pin)
    own_environment = surroundings
    if base is not None:
        own_environment = {**surroundings, **base.own_environment}
        base.prepare()
    instruments: tuple[Instrument, ...] = ("nvtx",) if manifest.options.nvtx else ()

    def executor(system: System, instruments: tuple[Instrument, ...] = instruments) -> ProcessExecutor:
        log = writer.path / f"worker-{system.label}.log"
        if base is not None and system.source:
            return BaselineExecutor(system, log, surroundings, base, instruments, cpus)
        return ProcessExecutor(system, log, own_environment, instruments=instruments, cpus=cpus)

    def segment(number: int, labels: tuple[LabelFacts, ...]) -> Segment:
        if base is not None:
            base.check(labels)
        return Segment(
            number,
            datetime.now(UTC).isoformat(timespec="seconds"),
            time.time_ns(),
            time.monotonic_ns(),
            {
                **environment.facts(surroundings),
                "cores_pinned": len(cpus) or None,
                **neighbours.facts(_server_pids(labels)),
            },
            setup.packages,
            labels,
            versions(),
            usage_limits(manifest, labels),
        )

    watch = MachineWatch(HostWatch(host_counters()), GpuWatch())
    executors = {system.label: executor(system) for system in manifest.labels}
    profiling = {system.label: executor(system, ("profiler",)) for system in profiled_labels(manifest)}
    manager = Manager(
        manifest,
        writer,
        executors,
        setup.corpus.utterances,
        progress,
        watch,
        profiling=profiling,
        spent_ns=spent_ns,
        schedule=schedule,
        pairs=pairs,
    )
    manager.run(already, segment, number)


def usage_limits(manifest: Manifest, loaded: Sequence[LabelFacts]) -> UsageLimits | None:
    """The limits of a start, given what its systems said when they were loaded."""
    remote = {facts.label for facts in loaded if facts.remote}
    remote |= {system.label for system in manifest.labels if not all(map(is_loopback, _urls(system)))}
    servers = [system.label for system in manifest.labels if system.label in remote or system.needs_server]
    return in_force(manifest.options, servers, bool(remote))


def _urls(system: System) -> list[str]:
    """The addresses among its options: `url`, `asr-uri` and their like."""
    return [str(value) for name, value in system.options.items() if value and name.split("-")[-1] in ("url", "uri")]


def _server_pids(labels: Sequence[LabelFacts]) -> tuple[int, ...]:
    return tuple(pid for facts in labels for server in facts.servers for pid in server.pids)
