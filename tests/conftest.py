"""How the suite runs: in parallel except tests marked `alone`; a slow test states why it is slow."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

LONG_S = 10
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads of torch that wait leave the core to other tests
# Images for containers often forbid bytecode. Every process that a test starts would compile all its libraries again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# By default an example fails that takes over 200 ms, which on a busy machine any may.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_configure() -> None:
    """Nothing that a test starts takes itself for one of xdist's workers (pytest-benchmark would switch itself off)."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        del os.environ[name]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that run alone are collected without importing the files that have none."""
    if config.option.markexpr.startswith("alone") and collection_path.match("test_*.py"):
        return "mark.alone" not in collection_path.read_text("utf-8") or None
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Warns of a long test that does not say why it is."""
    report = yield
    if call.when == "call" and call.duration > LONG_S and not getattr(item, "function", item).__doc__:
        item.warn(pytest.PytestWarning(f"took {call.duration:.0f} s: its docstring is to say why (or make it shorter)"))
    return report
