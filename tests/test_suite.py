"""The suite itself: what must not be lost without a sign."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_test_is_skipped_for_want_of_a_helper_of_ours() -> None:
    """A helper that moved would otherwise take its tests along: `importorskip` is for libraries."""
    helpers = {"support"} | {path.stem for path in (TESTS / "support").glob("*.py")}
    asked = {
        (path.name, name.split(".")[0])
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"importorskip\(\s*\"([\w.]+)\"", path.read_text("utf-8"))
    }
    assert len(asked) > 50
    assert {(file, name) for file, name in asked if name in helpers} == set()
