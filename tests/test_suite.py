"""The suite itself: no test may be lost silently."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_test_is_skipped_because_our_own_helper_is_missing() -> None:
    """A helper that moved would otherwise take its tests along: `importorskip` is for libraries."""
    helpers = {"support"} | {path.stem for path in (TESTS / "support").glob("*.py")}
    asked = {
        (path.name, name.split(".")[0])
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"importorskip\(\s*\"([\w.]+)\"", path.read_text("utf-8"))
    }
    assert len(asked) > 50
    assert {(file, name) for file, name in asked if name in helpers} == set()


PROJECT = """
[tool.pytest.ini_options]
markers = ["alone", "soak", "cuda"]
"""
CASES = """
import os
import pytest

def test_in_a_worker():
    assert "PYTEST_XDIST_WORKER" in os.environ

@pytest.mark.skip(reason="no such machine")
def test_skipped():
    pass

@pytest.mark.alone
def test_alone():
    assert "PYTEST_XDIST_WORKER" not in os.environ

@pytest.mark.alone
def test_that_fails():
    assert False

@pytest.mark.soak
def test_that_takes_hours():
    assert False
"""


def test_both_parts_run_and_a_failure_of_the_second_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "test_cases.py").write_text(CASES)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, str(TESTS / "run_suite.py"), "-p", "xdist.plugin"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    reason, last = done.stdout.splitlines()[-2:]
    assert done.returncode == 1, done.stdout
    assert reason == "skipped 1: no such machine"
    assert last.startswith("make test: 2 passed, 1 skipped, 1 failed, 0 errors in ") and last.endswith(", RED")
