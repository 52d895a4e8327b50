"""The series of whole gates: its plan, its interruption and continuation, its table, and how one gate is run."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import measure
import pytest
import results
import series
from results import Gate, Result

COUNTS = {("short", "unchanged"): 20, ("short", "slower"): 10, ("direct", "unchanged"): 8, ("direct", "slower"): 4}
FAKE = (sys.executable, "-S", "-c")


def result(gate: Gate, verdict: str = "same", minutes: float = 2.0) -> Result:
    exit_code = {"regressed": 10, "inconclusive": 11, "error": 3}.get(verdict, 0)
    return Result(*gate, exit_code, verdict, 1.01, 5, 100, minutes, 0.1, None, "abc", "")


def silent(_: str) -> None:
    """Say nothing."""


class Machine:
    """Gates of two minutes each on a clock of its own, and a user who stops them at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.measured: list[Gate] = []
        self.stop_at = stop_at

    def measure(self, gate: Gate) -> Result:
        if len(self.measured) == self.stop_at:
            raise KeyboardInterrupt
        self.measured.append(gate)
        return result(gate)

    def clock(self) -> float:
        return 120.0 * len(self.measured)


def test_every_beginning_of_a_series_is_balanced() -> None:
    planned = series.plan(COUNTS, "quiet", seed=1)
    assert Counter((gate.workload, gate.code) for gate in planned) == COUNTS
    assert len(set(planned)) == 42
    for part in (10, 21, 30):
        begun = Counter((gate.workload, gate.code) for gate in planned[:part])
        for case, count in COUNTS.items():
            assert abs(begun[case] - count * part / 42) <= 1.5, (part, case)


def test_the_order_depends_on_nothing_but_the_seed() -> None:
    assert series.plan(COUNTS, "quiet", seed=1) == series.plan(COUNTS, "quiet", seed=1)
    assert series.plan(COUNTS, "quiet", seed=1) != series.plan(COUNTS, "quiet", seed=2)


@pytest.mark.parametrize("torn", ["", '{"workload": "short", "mach'])
def test_an_interrupted_series_continues_where_it_was(tmp_path: Path, torn: str) -> None:
    planned, file = series.plan(COUNTS, "quiet", seed=1), tmp_path / "out/results.jsonl"
    before, after = Machine(stop_at=5), Machine()
    with pytest.raises(KeyboardInterrupt):
        series.run(planned, file, before.measure, 1000, silent, clock=before.clock)
    with file.open("a") as lines:
        lines.write(torn)
    series.run(planned, file, after.measure, 1000, silent, clock=after.clock)
    assert before.measured == planned[:5]
    assert after.measured == planned[5:]
    assert [each.gate for each in results.read(file)] == planned


def test_another_condition_of_the_machine_is_another_series(tmp_path: Path) -> None:
    file, machine = tmp_path / "results.jsonl", Machine()
    for condition in ("quiet", "bursts"):
        series.run(series.plan({("short", "slower"): 2}, condition, 0), file, machine.measure, 99, silent)
    assert Counter(gate.machine for gate in machine.measured) == {"quiet": 2, "bursts": 2}


def test_no_gate_begins_that_would_not_fit(tmp_path: Path) -> None:
    machine, heard = Machine(), list[str]()
    planned = series.plan({("short", "unchanged"): 5}, "quiet", 0)
    series.run(planned, tmp_path / "results.jsonl", machine.measure, 5, heard.append, clock=machine.clock)
    assert machine.measured == planned[:2], "the third would end after six minutes"
    assert "No time for gate 3 of 5" in heard[-1]


def test_the_table_counts_with_exact_intervals(tmp_path: Path) -> None:
    unchanged = [result(Gate("short", "quiet", "unchanged", n), minutes=n) for n in range(20)]
    verdicts = ["regressed"] * 7 + ["inconclusive"] + ["error"] * 2
    slower = [result(Gate("short", "quiet", "slower", n), verdict) for n, verdict in enumerate(verdicts)]
    heading, _, *rows = results.table([*slower, *unchanged]).splitlines()
    columns = [column.strip() for column in heading.strip("|").split("|")]
    cells = [dict(zip(columns, map(str.strip, row.strip("|").split("|")), strict=True)) for row in rows]
    assert [row["code"] for row in cells] == ["unchanged", "slower"]
    # 1 - 0.025 ** (1 / 20); 7 and 10 of 10 as in the tables of Clopper and Pearson.
    assert (cells[0]["gates"], cells[0]["regressed"]) == ("20", "0 (0.0 to 16.8 %)")
    assert (cells[0]["job fails"], cells[0]["minutes, median"]) == ("0 (0.0 to 16.8 %)", "9.5")
    assert cells[1]["regressed"] == "7 (34.8 to 93.3 %)"
    assert (cells[1]["job fails"], cells[1]["error"][0]) == ("10 (69.2 to 100.0 %)", "2")


# What follows stands in for `bench gate`: a program of its own, run as the gate is.

CHECK = """
import json, pathlib, subprocess, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir()
(out / "diff").write_text(subprocess.run(["git", "diff", "-U0", "HEAD"], capture_output=True, text=True).stdout)
change = {"starts": 3, "pairs": 9, "ratio": {"value": 1.05}}
(out / "gate.json").write_text(json.dumps({"verdict": "regressed", "checks": [{"change": None}, {"change": change}]}))
sys.exit(10)
"""


@pytest.mark.parametrize(
    ("gate", "difference"),
    [
        (Gate("short", "quiet", "slower", 3), '+PRODUCTS = {"short": 210, "padded": 0,'),
        (Gate("direct", "quiet", "slower", 3), '+PRODUCTS = {"short": 200, "padded": 23,'),
        (Gate("direct", "quiet", "unchanged", 3), "+# Nothing else is different."),
    ],
)
def test_a_gate_compares_a_working_tree_with_its_head(tmp_path: Path, gate: Gate, difference: str) -> None:
    for _ in range(2):  # the second replaces what an interrupted one would leave
        found = measure.measure(tmp_path, ("--max-minutes", "5"), gate, (*FAKE, CHECK))
    assert (found.gate, found.exit_code, found.verdict, found.estimate) == (gate, 10, "regressed", 1.05)
    assert (found.arguments, found.starts, found.pairs) == ("--max-minutes 5", 3, 9)
    lines = (tmp_path / "-".join(map(str, gate)) / "diff").read_text().splitlines()
    changed = [line for line in lines if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]
    assert changed[-1].startswith(difference)
    assert len(changed) == (1 if gate.code == "unchanged" else 2)


def test_a_gate_without_a_verdict_is_an_error_and_a_refused_one_ends_the_series(tmp_path: Path) -> None:
    gate = Gate("short", "quiet", "unchanged", 0)
    found = measure.measure(tmp_path, (), gate, (*FAKE, "raise SystemExit(3)"))
    assert (found.exit_code, found.verdict) == (3, "error")
    with pytest.raises(SystemExit, match="No such option"):
        measure.measure(tmp_path, (), gate, (*FAKE, "print('No such option'); raise SystemExit(2)"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


OBEDIENT = """
import os, pathlib, signal, sys
log = pathlib.Path(sys.argv[sys.argv.index("--out") + 1]).parent / "pid"
log.write_text(str(os.getpid()))
try:
    os.kill(os.getppid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    log.with_name("cleaned").touch()
"""
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + OBEDIENT


@pytest.mark.parametrize(("program", "cleans_up"), [(OBEDIENT, True), (STUBBORN, False)])
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, cleans_up: bool) -> None:
    monkeypatch.setattr(measure, "GRACE_S", 10.0 if cleans_up else 0.01)
    with pytest.raises(KeyboardInterrupt):
        measure.measure(tmp_path, (), Gate("short", "quiet", "unchanged", 0), (*FAKE, program))
    assert (tmp_path / "cleaned").exists() == cleans_up
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
