"""The gate's files: failures are red, allowed verdicts are skipped, and no failure passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from firstpacket.bench.export.gate import gate_junit, gate_markdown, write_gate
from firstpacket.bench.gate.decision import Verdict
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult

HOSTILE = "<script>alert(1)</script> | a"


def result(*verdicts: Verdict, allow: tuple[str, ...] = (), reason: str = "so it was") -> GateResult:
    checks = tuple(Check(f"l{n}", Limit(), verdict, reason, 1) for n, verdict in enumerate(verdicts))
    return GateResult("git 1a2b3c4d5e6f (main)", checks, allow, ("a: minimum noise band 1 %",))


def endings(found: GateResult) -> list[str]:
    (suite,) = JUnitXml.fromstring(gate_junit(found, "gate").encode())
    return [type(case.result[0]).__name__ if case.result else "passed" for case in suite]


@pytest.mark.parametrize("verdict", EXIT_CODES)
def test_junit_fails_whenever_the_exit_code_does(verdict: Verdict) -> None:
    found = result(verdict)
    assert endings(found) == ["passed" if found.exit_code == 0 else "Failure"]


def test_allowed_verdicts_are_skipped_and_regressions_always_fail() -> None:
    found = result("inconclusive", "no baseline", "regressed", "same", allow=("inconclusive", "no-baseline"))
    assert endings(found) == ["Skipped", "Skipped", "Failure", "passed"]
    assert "inconclusive (allowed)" in gate_markdown(found, "gate")


def test_all_three_files(tmp_path: Path) -> None:
    found = result("regressed", reason=HOSTILE)
    write_gate(found, tmp_path)
    raw = json.loads((tmp_path / "gate.json").read_text())
    assert (raw["schema"], raw["verdict"], raw["exit_code"]) == (2, "regressed", 10)
    check = raw["checks"][0]
    assert (check["limit"]["name"], check["passes"], check["reason"]) == (
        "first_packet_latency not slower",
        False,
        HOSTILE,
    )
    text = (tmp_path / "gate.md").read_text()
    assert "<script>" not in text and "exit code 10" in text and "minimum noise band" in text
    assert "<script>" not in (tmp_path / "junit.xml").read_text()
