"""A fault of a worker process loses only the turn in flight."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

import pytest
from support.virtual import make_scripted, make_utterances, run_manager, scripted_manifest

from firstpacket.bench.errors import BenchError
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.worker_environment import worker_environment
from firstpacket.bench.vocabulary import Flag

MS = 1_000_000
alone = pytest.mark.alone  # where times are measured, or a deadline is to be missed or kept
DEADLINE_S = 0.4


def process_run(tmp_path: Path, scripts: dict[str, str], count: int = 4, **changes: object) -> Run:
    clips = make_utterances(count, seconds=0.05)
    what = scripted_manifest(scripts, clips, **{"warmup": 0, **changes})
    workers = {
        label: ProcessExecutor(make_scripted(label, script), tmp_path / f"{label}.log", worker_environment(1))
        for label, script in scripts.items()
    }
    run_manager(tmp_path / "run", what, clips, dict(workers))
    return read_run(tmp_path / "run")


def measured(run: Run, label: str) -> list[Turn]:
    return [turn for turn in run.turns if turn.label == label and turn.phase == "measured"]


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("raise@4", "failed", "raised by the script"),
        ("die@4", "failed", "SIGKILL"),
        ("exit@4", "failed", "exit code 7"),
        pytest.param("hang@4", "timeout", "killed", marks=alone),
    ],
)
def test_a_fault_costs_one_turn_of_one_label(tmp_path: Path, fault: str, outcome: str, reason: str) -> None:
    scripts = {"bad": f"hear; {fault}; tts 2; packet 50", "good": "hear; tts 2; packet 50"}
    found = process_run(tmp_path, scripts, deadline=DEADLINE_S if outcome == "timeout" else 30.0)
    bad = measured(found, "bad")
    assert [turn.outcome for turn in bad].count(outcome) == 1
    assert [turn.outcome for turn in bad].count("answered") == 3
    assert reason in next(turn.reason for turn in bad if turn.outcome == outcome)
    assert [turn.outcome for turn in measured(found, "good")] == ["answered"] * 4
    if outcome != "failed" or "script" not in reason:
        colds = [turn for turn in found.turns if turn.label == "bad" and turn.phase == "cold"]
        assert len(colds) == 2, "the worker that came back is cold again, and says so"


def test_output_on_stdout_does_not_disturb_the_protocol(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; rubbish; tts 2; packet 50"})
    assert {turn.outcome for turn in found.turns} == {"answered"}
    assert b"{rubbish" in (tmp_path / "a.log").read_bytes()


def test_a_first_packet_counts_even_if_the_worker_dies_after_it(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; tts 2; packet 50; tts 5; die@2"}, count=2)
    cut = next(turn for turn in measured(found, "a") if "truncated" in turn.flags)
    assert cut.outcome == "answered"
    assert cut.figures["first_packet_latency"] >= 2 * MS


def test_a_worker_leaves_a_reply_after_its_first_packet(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; tts 2; packet 50; die@2"}, count=2, leave_after="first_packet")
    for turn in measured(found, "a"):
        assert turn.outcome == "answered" and Flag.LEFT_EARLY in turn.flags and Flag.TRUNCATED not in turn.flags
    assert len(found.turns) == 3, "the cold turn, which is whole, and two that end before the process would"


@alone
def test_a_pipeline_that_ends_by_itself_at_the_deadline_is_not_killed(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"slow": "hear; rest 600; tts 1; packet 50"}, count=1, deadline=DEADLINE_S)
    turn = measured(found, "slow")[0]
    assert turn.outcome == "answered"
    assert "truncated" in turn.flags
    assert turn.figures["first_packet_latency"] >= 600 * MS
    assert len([turn for turn in found.turns if turn.phase == "cold"]) == 1, "it gave up by itself and was not killed"


@alone
def test_a_pipeline_that_gives_up_when_cancelled_keeps_its_trace_and_stays_warm(tmp_path: Path) -> None:
    script = "hear; asr 2; block@2; tts 2; packet 50"
    found = process_run(tmp_path, {"slow": script}, count=2, deadline=DEADLINE_S)
    late, next_one = measured(found, "slow")
    assert (late.outcome, late.reason) == ("timeout", "no packet by the deadline")
    assert late.figures["stage.asr.host"] >= 2 * MS
    assert next_one.outcome == "answered"
    assert len([turn for turn in found.turns if turn.phase == "cold"]) == 1


@alone
def test_the_real_clock_agrees_with_the_scripts_own_timestamps(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; encoder 3; tts 4; packet 20; tts 2; packet 20"}, count=12)
    errors_ns = []
    for turn in measured(found, "a"):
        evidence = found.evidence(turn)
        stamps = json.loads(next(text.text for text in evidence.trace.texts if text.kind == "stamps"))
        own_ns = next(ended_ns for _, step, _, ended_ns in stamps if step == 3)
        reported_ns = evidence.delivery.t0_ns + int(turn.figures["first_packet_latency"])
        errors_ns.append(abs(reported_ns - own_ns))
        assert sum(part.ns for part in turn.path) == turn.figures["first_packet_latency"]
    assert statistics.median(errors_ns) < 1 * MS


def test_realtime_speech_reaches_a_process_frame_by_frame(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; tts 2; packet 50"}, count=2, input="realtime")
    for turn in measured(found, "a"):
        assert turn.outcome == "answered"
        assert turn.figures["first_packet_latency"] >= 2 * MS
        assert len(found.evidence(turn).delivery.lateness_ns) == 3


def test_workers_end_with_the_run(tmp_path: Path) -> None:
    found = process_run(tmp_path, {"a": "hear; tts 1; packet 50"}, count=1)
    for facts in found.segments[0].labels:
        with pytest.raises(ProcessLookupError):
            os.kill(facts.pid, 0)


def test_a_pipeline_that_cannot_load_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="a: Unknown step 'nonsense'"):
        process_run(tmp_path, {"a": "nonsense"})
