"""Pytest inside a test of pytest."""

from __future__ import annotations

from typing import Any

import _pytest.pytester
import pytest


class Kept(_pytest.pytester.SysModulesSnapshot):
    """Forgets the tests that an inner pytest imported, and keeps the libraries: numpy cannot be loaded twice."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__(lambda name: not name.startswith(("test_", "conftest")))


@pytest.fixture(autouse=True)
def libraries_stay_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `pytester` looks which modules there are."""
    monkeypatch.setattr(_pytest.pytester, "SysModulesSnapshot", Kept)
