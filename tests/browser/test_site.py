"""The documents' site, built strictly, as a browser shows it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.browser import window
from support.command import ROOT


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the site."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    assert (folder / "index.html").is_file()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_the_site_is_complete_searchable_and_self_contained(browser: Any, site: str) -> None:
    with window(browser, site, beside=site) as shown:
        shown.page.get_by_placeholder("Search").click()
        shown.page.keyboard.type("critical path")
        shown.page.locator(".md-search-result__link").first.wait_for()
        assert "critical" in shown.page.locator(".md-search-result__list").inner_text().lower()
        shown.page.goto(site + "metrics.html")
        assert "first_packet_latency" in shown.page.locator("table").first.inner_text()


def test_examples_fit_a_phone(browser: Any, site: str) -> None:
    with window(browser, site + "add-an-engine.html", beside=site, viewport={"width": 360, "height": 800}) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
