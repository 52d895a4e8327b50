"""CPU time to the first packet: which moments it lies between, and when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.runs import make_evidence
from support.virtual import make_scripted, make_utterances, run_manager, scripted_manifest, virtual_run

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.record.schema import InputMode
from firstpacket.bench.record.store import read_run
from firstpacket.bench.record.telemetry import CpuTime
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace

MS = 1_000_000
ANSWERED = TurnTrace(packets=(PacketStamp(50 * MS, 160, 16_000, 1),))


class BusyClock(VirtualClock):
    """Virtual time of a process that works all the time."""

    def cpu_ns(self) -> int:
        return self.now_ns()


def cpu_figures(path: Path, script: str, input: InputMode) -> set[int | float | None]:
    clips = make_utterances(2)
    executor = InProcessExecutor(make_scripted("a", script), BusyClock())
    run_manager(path, scripted_manifest({"a": script}, clips, input=input), clips, {"a": executor})
    return {turn.figures.get("first_packet_cpu") for turn in read_run(path).turns}


@pytest.mark.parametrize("input", ["file", "realtime"])
def test_it_counts_from_the_end_of_speech_to_the_first_packet(tmp_path: Path, input: InputMode) -> None:
    assert cpu_figures(tmp_path / "run", "hear; tts 30; packet 20; tts 40; packet 20", input) == {30 * MS}


def test_there_is_none_without_a_packet_or_with_one_before_the_end_of_speech(tmp_path: Path) -> None:
    assert cpu_figures(tmp_path / "silent", "hear; tts 30", "file") == {None}
    assert cpu_figures(tmp_path / "early", "tts 30; packet 20", "realtime") == {None}


def test_there_is_none_on_virtual_time(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 30; packet 20"}))
    assert {run.evidence(turn).cpu for turn in run.turns} == {None}
    assert not any("first_packet_cpu" in turn.figures for turn in run.turns)


def test_the_figure_follows_from_the_recorded_readings() -> None:
    seen = make_evidence(ANSWERED, cpu=CpuTime(speech_over_ns=7_000 * MS, first_packet_ns=7_012 * MS))
    assert turn_figures(seen).figures["first_packet_cpu"] == 12 * MS
