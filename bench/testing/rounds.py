"""The fixture `voice_rounds`: first packets as rounds of pytest-benchmark, through its public interface.

The plugin times a target with the timer in the test's marker. Here that is a clock that only the target advances, by a
first-packet latency that was measured before.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firstpacket.bench.compare.comparable import require_valid
from firstpacket.bench.errors import RunError, UnknownName, UsageError
from firstpacket.bench.export.pytest_benchmark import extra_info, first_packets_s, gpu
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run import session as runs
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.testing.arguments import asked_options
from firstpacket.bench.testing.session import VoiceSession
from firstpacket.bench.testing.voice import COMMAND, VoiceBenchmarkWarning, plainly, progress, refuse_parallel

if TYPE_CHECKING:
    from firstpacket.bench.testing.replay import ReplayClock


class VoiceRounds:
    """Measures or reads a run, and passes one label's first packets to the fixture `benchmark`."""

    def __init__(self, session: VoiceSession, node: pytest.Item, benchmark: Any, clock: ReplayClock) -> None:
        self._session = session
        self._node = node
        self._benchmark = benchmark
        self._clock = clock

    def __call__(
        self,
        *pipelines: str,
        label: str | None = None,
        run: str | Path | None = None,
        config: str | Path | None = None,
        **options: Any,
    ) -> LabelSummary:
        """Every first packet of `label` becomes a round; returns the run's summary of that label.

        `pipelines` and `options` are those of a run; `run` is the folder of one to read instead. Tests with the same
        arguments share one run. `label` may be omitted if there is only one. If pytest-benchmark is disabled, each
        label runs one turn, which is not timed.
        """
        with plainly():
            found = self._stored(run, pipelines, options) if run else self._measured(pipelines, config, options)
            require_valid(found)
            chosen = _chosen(found, label)
            times = first_packets_s(found).get(chosen.label)
            if not times:
                raise RunError(f"No turn of {chosen.label} was answered ({_counts(chosen)}), so there are no rounds.")
        if len(times) < chosen.measured:
            said = f"{chosen.label}: only answered turns are rounds ({_counts(chosen)})"
            warnings.warn(VoiceBenchmarkWarning(said), stacklevel=2)
        self._benchmark.extra_info.update(extra_info(chosen))
        if measured_on := gpu(found):
            self._benchmark.extra_info["gpu"] = measured_on
        self._benchmark.pedantic(self._clock.replay(times), rounds=len(times), iterations=1)
        return chosen

    def _measured(self, pipelines: Sequence[str], config: str | Path | None, options: dict[str, Any]) -> Run:
        disabled = bool(self._benchmark.disabled)
        chosen = asked_options(pipelines, config, options, ("label", "run", "config"))
        if disabled:
            chosen = replace(chosen, turns=1, warmup=0, idle=None, idle_turns=None)
        else:
            refuse_parallel(self._session)
        key = repr(chosen)
        if key not in self._session.measured:
            folder = self._session.folder(self._node.nodeid)
            path = runs.start(replace(chosen, out=str(folder)), COMMAND, progress(self._session))
            self._session.said.append(f"{self._node.nodeid}: {path}")
            self._session.measured[key] = read_run(path)
        return self._session.measured[key]

    def _stored(self, run: str | Path, pipelines: Sequence[str], options: dict[str, Any]) -> Run:
        if pipelines or options:
            raise UsageError("With run=..., which reads a stored run, pipelines and options cannot be given.")
        key = ("stored", str(run))
        if key not in self._session.measured:
            self._session.measured[key] = read_run(Path(run))
        return self._session.measured[key]


def _chosen(run: Run, label: str | None) -> LabelSummary:
    found = {each.label: each for each in summarise(run).labels}
    if label is None and len(found) == 1:
        return next(iter(found.values()))
    if label is None:
        raise UsageError(
            f"The run has {len(found)} labels; choose the one for the rounds, such as label='{min(found)}'."
        )
    if label not in found:
        raise UnknownName("label", label, found)
    return found[label]


def _counts(label: LabelSummary) -> str:
    return ", ".join(f"{n} {outcome}" for outcome, n in label.outcomes["measured"].items() if n)
