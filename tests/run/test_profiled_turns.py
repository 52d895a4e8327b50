"""Turns under the profiler: after all others, in another process, never in the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from support.fake_gpu import FakeGpu, FakeProfiler
from support.runs import make_segment
from support.virtual import NoProgress, make_utterances, scripted_manifest

from firstpacket.bench.contract import as_json
from firstpacket.bench.errors import MissingDependency
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Speech, Stage
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.schema import LabelFacts, Manifest, System, Turn
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.profiling import TURNS, profiled_turns, profiling_notices
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.trace import Trace

MS = 1_000_000
STAGES = (Stage("encoder", "listen"), Stage("vocoder", "speak"))
CLIPS = make_utterances(4)


class Starving(Pipeline):
    """Its encoder launches three kernels of 2 ms, each 8 ms after the last: a window of 18 ms, busy for 6."""

    declaration = Declaration("starving", "launches too slowly", "direct", STAGES, gpu="required")
    gpu: ClassVar[FakeGpu]

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        gpu = self.gpu
        with trace.stage("encoder", gpu=True):
            for last in (False, False, True):
                gpu.launch(2 * MS)
                gpu.clock.advance(0 if last else 8 * MS)
        with trace.stage("vocoder", gpu=True):
            gpu.launch(4 * MS)
        with trace.device_wait():
            gpu.synchronize()
        yield Packet(np.full(1600, 0.1, np.float32), 16_000, trace.hand_off("vocoder"))


class Refusing(InProcessExecutor):
    """A process that cannot load the profiler."""

    def start(self) -> LabelFacts:
        raise MissingDependency("no CUPTI here")


def starving(clock: VirtualClock, profiler: FakeProfiler | None = None) -> InProcessExecutor:
    request = System("direct", "starving", "cuda:0", "float32", {})
    return InProcessExecutor(request, clock, Starving, GpuRecorder(Starving.gpu, clock), profiler)


def plan(**changes: object) -> Manifest:
    labels = (System("direct", "starving", "cuda:0", "float32", {}, STAGES),)
    return scripted_manifest({}, CLIPS, labels=labels, profile_gpu=True, keep_audio=False, **changes)


def run(path: Path, problem: str = "", refuse: bool = False) -> Run:
    clock = VirtualClock()
    Starving.gpu = FakeGpu(clock)
    profiling = starving(clock, FakeProfiler(Starving.gpu, problem))
    if refuse:
        profiling.__class__ = Refusing
    what = plan()
    with RunWriter.create(path, what) as writer:
        executors, beside = {"direct": starving(clock)}, {"direct": profiling}
        Manager(what, writer, executors, CLIPS, NoProgress(), clock=clock, profiling=beside).run((), make_segment)
    return read_run(path)


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("profiled") / "run")


def of(found: Run, phase: str) -> list[Turn]:
    return [turn for turn in found.turns if turn.phase == phase]


def test_profiled_turns_come_last_and_the_first_only_warms_up(profiled: Run) -> None:
    phases = [turn.phase for turn in profiled.turns]
    assert phases == ["cold", "warmup"] + ["measured"] * 4 + ["profiled"] * (1 + TURNS)
    warm, *others = of(profiled, "profiled")
    assert (warm.flags, warm.block) == (("not_warmed_up",), -1)
    assert [turn.flags for turn in others] == [()] * TURNS
    assert len({turn.utterance for turn in others}) == TURNS


def test_a_starved_device_is_distinguished_from_a_busy_one(profiled: Run) -> None:
    """The window between the events cannot tell; the profile can."""
    for turn in of(profiled, "profiled"):
        assert turn.figures["stage.encoder.busy"] == 6 * MS
        assert turn.figures["stage.vocoder.busy"] == 4 * MS
        assert turn.figures["gpu_busy"] == 10 * MS
    for turn in of(profiled, "measured"):
        assert abs(turn.figures["stage.encoder.gpu"] - 18 * MS) < 20_000
        assert "stage.encoder.busy" not in turn.figures
        assert profiled.evidence(turn).profile is None


def test_the_summary_has_busy_time_and_window_of_each_stage(profiled: Run) -> None:
    (label,) = summarise(profiled).labels
    encoder, vocoder = label.gpu.stages
    assert (encoder.stage, vocoder.stage, label.gpu.turns) == ("encoder", "vocoder", TURNS)
    assert encoder.window_ms == pytest.approx(18, abs=0.1)
    assert encoder.busy_ms == 6
    assert encoder.share == pytest.approx(1 / 3, abs=0.01)
    assert vocoder.share == pytest.approx(1, abs=0.02)
    assert label.gpu.unassigned_ms == 0
    assert label.measured == 4, "profiled turns are no measured ones"
    assert label.figures["first_packet_latency"].n == 4
    stages = as_json(summarise(profiled))["labels"]["direct"]["gpu"]["stages"]
    assert stages["encoder"]["busy_ms"] == 6
    assert json.dumps(stages)
    assert "the time the device worked for it" in render_report([profiled])


def test_busy_times_are_derived_again(profiled: Run) -> None:
    assert recompute(profiled).equal


def test_without_profiled_turns_there_is_nothing_to_show(tmp_path: Path) -> None:
    clock = VirtualClock()
    Starving.gpu = FakeGpu(clock)
    with RunWriter.create(tmp_path / "run", plan()) as writer:
        Manager(plan(), writer, {"direct": starving(clock)}, CLIPS, NoProgress(), clock=clock).run((), make_segment)
    found = read_run(tmp_path / "run")
    (label,) = summarise(found).labels
    assert not of(found, "profiled")
    assert label.gpu is None or not label.gpu.turns
    assert "the time the device worked for it" not in render_report([found])


def test_a_profiler_with_a_problem_gives_a_notice(tmp_path: Path) -> None:
    found = run(tmp_path / "run", problem="CUPTI is in use")
    (label,) = summarise(found).labels
    assert [turn.outcome for turn in of(found, "profiled")] == ["answered"] * (1 + TURNS)
    assert label.gpu.turns == 0
    assert label.gpu.problems == {"CUPTI is in use": TURNS}
    assert any("CUPTI is in use" in notice for notice in summarise(found).notices)


def test_a_failure_of_the_profiler_loses_no_measured_turn(tmp_path: Path) -> None:
    found = run(tmp_path / "run", refuse=True)
    (failed,) = of(found, "profiled")
    assert (failed.outcome, failed.reason) == ("failed", "no CUPTI here")
    assert len(of(found, "measured")) == 4


def test_a_resumed_run_measures_only_missing_profiled_turns(profiled: Run) -> None:
    clips = [clip.id for clip in CLIPS]
    whole = profiled_turns("direct", clips, 0)
    assert [ask.block for ask in whole] == [-1, 0, 1, 2]
    assert profiled_turns("direct", clips, 0, profiled.turns) == ()
    assert [ask.block for ask in profiled_turns("direct", clips, 0, profiled.turns[:-1])] == [-1, 2]
    assert [ask.block for ask in profiled_turns("direct", clips, 0, profiled.turns[:-4])] == [-1, 0, 1, 2]
    assert len(profiled_turns("direct", clips[:1], 0)) == 2


def test_profiling_without_a_gpu_gives_a_notice() -> None:
    on_cpu = System("cascade", "cascade", "cpu", "float32", {}, ())
    assert "cascade, which ran on the CPU" in profiling_notices(True, (on_cpu, *plan().labels))[0]
    assert profiling_notices(True, plan().labels) == ()
    assert profiling_notices(False, (on_cpu,)) == ()
