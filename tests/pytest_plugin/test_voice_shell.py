"""pytest as CI starts it, on a repository whose plugin really became slower; and the plugin's cost for other tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml
from support.command import ROOT, write_clips
from support.plugin_repository import plugin_repository

TESTS = """
QUICK = dict(corpus="CLIPS", max_minutes=0.1, warmup=0, threads=1)

def test_no_slower(voice_benchmark):
    voice_benchmark("nap", max_regression="5%", **QUICK)

def test_quick_enough(voice_benchmark):
    result = voice_benchmark("nap", ceiling_ms=20_000, statistic="p50", **QUICK)
    assert 24 <= result.label("nap").p50_ms < 20_000
    assert set(result.label("nap").outcomes) == {"answered"}
"""


def test_a_slower_version_turns_its_test_red_and_no_other(tmp_path: Path) -> None:
    """May take over 10 s: several starts, some of two versions, in a pytest of their own."""
    repository = plugin_repository(tmp_path)
    repository.commit(8, "fast")
    repository.write(24)
    clips = write_clips(tmp_path / "clips")
    (repository.path / "test_voice.py").write_text(TESTS.replace("CLIPS", str(clips)))
    words = ("-p", "firstpacket.pytest_plugin", "--voice-against=fast", "--junit-xml=found.xml", "--voice-out=kept")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=repository.path,
        env=repository.environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", FIRSTPACKET_CACHE=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    said = answer.stdout + answer.stderr
    assert answer.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert "1 failed, 1 passed" in said
    cases = {case.name: case for suite in JUnitXml.fromfile(str(repository.path / "found.xml")) for case in suite}
    assert [name for name, case in cases.items() if not case.is_passed] == ["test_no_slower"]
    assert "nap: regressed" in cases["test_no_slower"].result[0].message
    kept = repository.path / "kept"
    found = json.loads((kept / "test_voice.py-test_no_slower/gate.json").read_text())
    assert found["verdict"] == "regressed" and found["checks"][0]["starts"] > 1
    assert (kept / "test_voice.py-test_no_slower/report.html").exists()
    assert "Traceback" not in said


def test_starting_pytest_loads_nothing_of_the_harness() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import firstpacket.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["firstpacket", "firstpacket.pytest_plugin"]
