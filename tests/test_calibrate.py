"""Calibration: no errors on a perfect clock, and wrong figures are detected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.command import here
from support.virtual import make_utterances, run_manager, scripted_manifest

from firstpacket.bench import calibration
from firstpacket.bench.calibrate.busy_cores import busy_cores
from firstpacket.bench.calibrate.cases import CASES, SPEECH_S, Case
from firstpacket.bench.calibrate.ground_truth import OwnStamps, own_stamps
from firstpacket.bench.calibrate.measure import (
    AUDIBLE,
    FIRST_PACKET,
    NEGATIVE,
    PATH,
    STAGES,
    STALLS,
    Measured,
    check_usable,
    errors,
)
from firstpacket.bench.calibrate.verdict import Limits, deviation, finding
from firstpacket.bench.calibration import NEVER, ruler
from firstpacket.bench.commands.machine import calibrate
from firstpacket.bench.environment import facts
from firstpacket.bench.errors import WorkerError
from firstpacket.bench.paths import CACHE
from firstpacket.bench.record.schema import PathPart, Turn
from firstpacket.bench.record.store import read_run
from firstpacket.bench.vocabulary import flags_from

MS = 1_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def played(tmp_path: Path, case: Case) -> tuple[Turn, OwnStamps, int]:
    """A turn of the case on virtual time."""
    clips = make_utterances(1, SPEECH_S[case.input])
    run_manager(tmp_path / "run", scripted_manifest({"a": case.script}, clips, input=case.input, warmup=0), clips)
    found = read_run(tmp_path / "run")
    turn = next(turn for turn in found.turns if turn.phase == "measured")
    evidence = found.evidence(turn)
    return turn, own_stamps(case.script, evidence.trace), evidence.delivery.t0_ns


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_perfect_clock_gives_no_errors(tmp_path: Path, case: Case) -> None:
    turn, own, t0_ns = played(tmp_path, case)
    found = errors(case, turn, own, t0_ns)
    assert set(found.values()) == {0}, found
    assert own.heard_ns() == t0_ns
    assert found.keys() == {FIRST_PACKET, AUDIBLE, STALLS, STAGES, NEGATIVE if case.path is None else PATH}
    assert turn.figures["stall_total"] >= 10 * MS, "every case makes the player wait"
    assert (turn.figures["first_packet_latency"] < 0) == (case.path is None)


def test_host_flags_keep_a_turn_usable_and_other_outcomes_do_not(tmp_path: Path) -> None:
    turn, _, _ = played(tmp_path, CASES[0])
    check_usable(replace(turn, flags=flags_from("host")))
    for other in (replace(turn, flags=("host_busy", "truncated")), replace(turn, outcome="failed", reason="it broke")):
        with pytest.raises(WorkerError, match=r"truncated|it broke"):
            check_usable(other)


@pytest.mark.parametrize(
    ("metric", "figure"),
    [
        ("first_packet_latency", FIRST_PACKET),
        ("response_latency", AUDIBLE),
        ("stall_total", STALLS),
        ("stage.vocoder.host", STAGES),
    ],
)
def test_a_wrong_figure_is_an_error_of_its_size(tmp_path: Path, metric: str, figure: str) -> None:
    turn, own, t0_ns = played(tmp_path, CASES[0])
    wrong = replace(turn, figures={**turn.figures, metric: turn.figures[metric] - 3 * MS})
    assert {name for name, error in errors(CASES[0], wrong, own, t0_ns).items() if error == -3 * MS} == {figure}


@pytest.mark.parametrize("case", [case for case in CASES if case.path], ids=lambda case: case.name)
def test_a_path_that_names_another_stage_is_an_error(tmp_path: Path, case: Case) -> None:
    turn, own, t0_ns = played(tmp_path, case)
    (first, *rest) = turn.path
    other = PathPart("copy", "host", first.ns)
    assert abs(errors(case, replace(turn, path=(other, *rest)), own, t0_ns)[PATH]) == first.ns


def test_speech_received_late_is_an_error_of_file_input(tmp_path: Path) -> None:
    turn, own, t0_ns = played(tmp_path, CASES[0])
    late = replace(own.step("hear"), ended_ns=own.heard_ns() + 2 * MS)
    heard_late = replace(own, steps={**own.steps, "hear": (late,)})
    assert errors(CASES[0], turn, heard_late, t0_ns)[FIRST_PACKET] == 2 * MS


def made(turns: int, error_ns: int) -> Measured:
    names = (FIRST_PACKET, NEGATIVE, AUDIBLE, STALLS, STAGES, PATH)
    return Measured(turns, {name: [error_ns] * turns for name in names}, {}, [], [20] * turns, 2000)


def test_percentiles_need_enough_turns() -> None:
    assert deviation("x", [MS] * 661).p99_ms is None
    assert deviation("x", [-MS] * 662).p99_ms == 1
    assert deviation("x", [MS] * 10).median_ms is None


def test_errors_over_the_limits_are_named() -> None:
    limits = Limits(0.5, 5)
    assert finding(made(662, MS // 2), limits).within_limits
    found = finding(made(662, 6 * MS), limits)
    assert not found.within_limits
    assert "stalls: p99 6.000 ms (limit 5 ms)" in limits.broken(found.deviations)


def test_later_runs_state_the_last_calibration(folder: Path) -> None:
    assert ruler(facts({})) == NEVER
    first, second = (finding(made(700, error), Limits(0.5, 5)) for error in (MS, MS // 4))
    from firstpacket.bench.environment import cpu_name

    for each in (first, second):
        calibration.keep(each, cpu_name())
    assert facts({})["calibration_median_ms"] == 0.25
    assert ruler(facts({})).startswith("first packet off by 0.25 ms in the median, p99 0.25 ms (700 turns")
    next(folder.iterdir()).write_text('{"schema": 1, "turns": "many"}')
    assert ruler(facts({})) == NEVER


def test_another_machine_has_its_own_calibration() -> None:
    calibration.keep(finding(made(700, MS), Limits(0.5, 5)), "one processor")
    assert calibration.facts("another processor") == {}


def test_the_command_measures_on_the_real_clock(folder: Path) -> None:
    done = here("calibrate", "--turns", "24", "--json", "--limit-median-ms", "0")
    found = json.loads(done.stdout)
    figures = {each["figure"]: each for each in found["deviations"]}
    assert done.returncode == 3, "no ruler is without errors"
    assert "first packet: median" in done.stderr
    assert figures[FIRST_PACKET]["n"] == found["turns"] == 24
    assert figures[FIRST_PACKET]["p99_ms"] is None
    assert figures[STAGES]["median_ms"] > 0 and figures[FIRST_PACKET]["median_ms"] > 0
    assert found["cost_per_turn_ms"] > 0
    assert not folder.exists(), "so few turns are not kept"


def test_cores_are_busy_only_meanwhile() -> None:
    with busy_cores(1) as (loop,):
        other = psutil.Process(loop)
        assert other.is_running() and os.getsid(loop) != os.getsid(0)
    assert not other.is_running()


def test_a_busy_core_is_free_again_once_its_owner_was_killed() -> None:
    owner = (
        "from firstpacket.bench.calibrate.busy_cores import busy_cores\n"
        "with busy_cores(1) as (loop,):\n    print(loop, flush=True)\n    input()"
    )
    with subprocess.Popen([sys.executable, "-c", owner], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        loop = psutil.Process(int(process.stdout.readline()))
        process.kill()
    _, alive = psutil.wait_procs([loop], timeout=30)
    assert not alive


def test_a_calibration_of_a_busy_machine_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def measured(turns: int, *_: object) -> Measured:
        seen.append(any("getppid" in " ".join(child.cmdline()) for child in psutil.Process().children()))
        return made(turns, MS // 10)

    monkeypatch.setattr("firstpacket.bench.calibrate.measure.measure", measured)
    for options in ({"busy": True}, {}):
        calibrate(700, 0.5, 5.0, **{"busy": False, "json": True, **options})
        assert folder.exists() is not bool(options)
    assert seen == [True, False]
