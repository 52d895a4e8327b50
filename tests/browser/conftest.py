"""A browser for every module here, and reports to open in it. Where there is none, these tests are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import Opened, window
from support.spoken_run import spoken_run

from firstpacket.bench.record.store import read_run
from firstpacket.bench.report.html import write_report

HOSTILE = "<script>hit=1<\\script>\"'><img src=x onerror='hit=2'><b style=position:fixed>{{ 7*7 }} ]]>--> & ${hit=3}"
"""Put behind every name and text; without a slash, since folders are called so, too."""


@pytest.fixture(scope="module")  # not longer: Playwright keeps an event loop running, and asyncio allows but one
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    flags = ["--mute-audio", "--autoplay-policy=no-user-gesture-required"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []  # as root, Chromium starts in no other way
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=flags, timeout=90_000)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on 12 clips: by hand, direct needs 120 ms for every second of speech, the cascade 300."""
    folder = tmp_path_factory.mktemp("plain")
    return _written(spoken_run(folder))


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, with markup in every text, id, path and name. (A label with markup cannot be run, nor read.)"""
    folder = tmp_path_factory.mktemp("hostile")
    return _written(spoken_run(folder, clips=5, rename=lambda text: text + HOSTILE))


@pytest.fixture
def opened(browser: Any, report: str) -> Iterator[Opened]:
    """The report in a window; any network request or console message fails the test."""
    with window(browser, report) as shown:
        yield shown


def _written(run: Path) -> str:
    """Address of the report on the run."""
    return write_report([read_run(run)], run.parent / "report.html").as_uri()
