"""The report on a run whose turns are laid out by rule."""

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.runs import MemoryRun
from support.sample_run import sample_run

from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.record.schema import Evidence, Turn
from firstpacket.bench.report.html import render_report, write_report
from firstpacket.bench.report.plots.ecdf import Curve, ecdf_svg


class Page(HTMLParser):
    """What a browser would make of the page: its elements, their attributes, and the text of each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.heading = ""
        self._last = ""
        self._in_heading = False
        self.feed(html)
        self.heading = self.heading.strip()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        self._last = tag
        self._in_heading = tag == "h1" or (self._in_heading and tag == "span")

    def handle_data(self, data) -> None:
        self.heading += data if self._in_heading else ""
        if data.strip():
            self.texts.setdefault(self._last, []).append(data.strip())

    def all_text(self) -> str:
        return " ".join(text for texts in self.texts.values() for text in texts)


@pytest.fixture(scope="module")
def html() -> str:
    return render_report([sample_run()])


def test_the_answer_comes_first(html: str) -> None:
    answer = Page(html).heading
    assert re.fullmatch(
        r"direct sends its first packet \d+ ms sooner than cascade and its first audible sample \d+ ms sooner "
        r"\(first packet: 95 % CI \d+ to \d+ ms, 23 pairs on 23 clips, 1 dropped; "
        r"first audible: 95 % CI \d+ to \d+ ms, 23 pairs on 23 clips, 1 dropped\) \[on Some GPU\]\.",
        answer,
    )


def test_the_file_loads_nothing_from_other_addresses(html: str) -> None:
    for tag, attributes in Page(html).elements:
        assert tag not in {"link", "iframe", "object", "img"}
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_everything_referred_to_is_on_the_page_once() -> None:
    """Marks and clips of plots too: a `<use>` of an id that is not there draws nothing."""
    run = sample_run()
    noisy = tuple(replace(turn, flags=("host_busy",)) for turn in run.turns)
    page = render_report([replace(run, turns=noisy), sample_run("other")])
    ids = re.findall(r'\sid="([^"]*)"', page)
    groups = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)|aria-labelledby="([^"]*)"', page)
    references = {name for group in groups for names in group for name in names.split()}
    assert len(ids) == len(set(ids))
    assert references - set(ids) == set()
    assert re.search(r'<use xlink:href="#C\d+_', page)  # marks that several hollow points share


def test_a_browser_may_run_the_page_s_script_and_no_other(html: str) -> None:
    policy = unescape(re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', html)[0])
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    told = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert re.findall(r"script-src ([^;]*)", policy) == [f"'sha256-{told}'"]


def test_the_same_run_gives_the_same_bytes(html: str) -> None:
    assert render_report([sample_run()]) == html


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}$x^"


def test_hostile_texts_labels_and_ids_stay_text(html: str) -> None:
    run = sample_run("hostile", rename=lambda text: text + HOSTILE)
    manifest = replace(run.manifest, run=HOSTILE, corpus=HOSTILE, command=(HOSTILE,), notices=(HOSTILE,))
    segment = replace(run.segments[0], environment={HOSTILE: HOSTILE, "cpu": HOSTILE}, packages={HOSTILE: HOSTILE})
    turns = tuple(replace(turn, flags=(HOSTILE,), reason=HOSTILE) for turn in run.turns)
    page = Page(render_report([replace(run, manifest=manifest, segments=(segment,), turns=turns)]))
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags
    assert tags.count("script") == [tag for tag, _ in Page(html).elements].count("script")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>" in page.all_text()
    assert "{{ 7*7 }}" in page.all_text()


def test_answers_before_the_end_of_speech_are_pointed_out(html: str) -> None:
    run = sample_run("early")
    turns = tuple(replace(turn, flags=("false_endpoint",)) if turn.label == "direct" else turn for turn in run.turns)
    told = Page(render_report([replace(run, turns=turns)])).all_text()
    assert re.search(r"direct detected the end of the user's turn too early in (\d+) of \1 measured turns", told)
    assert "too early" not in Page(html).all_text()


def test_dummy_weights_are_pointed_out() -> None:
    page = Page(render_report([sample_run("dummy", origin="dummy")]))
    assert "times only; unmatched; the answers mean nothing" in page.heading
    assert any("origin-dummy" in (attributes.get("class") or "") for _, attributes in page.elements)
    assert [text for text in page.texts["td"] if text == "dummy"] == ["dummy", "dummy"]


def test_unsupported_percentiles_are_not_numbers(html: str) -> None:
    assert "n/a (n=23 &lt; 64)" in html
    assert "n/a (n=24 &lt; 662)" in html


def test_parts_of_the_path_are_contiguous_and_fill_the_longest_bar(html: str) -> None:
    ends = []
    for track in html.split('<div class="track">')[1:]:
        bars = re.findall(r'class="bar [^"]*" style="left:([\d.]+)%;width:([\d.]+)%', track)
        end = 0.0
        for left, width in bars:
            assert float(left) == pytest.approx(end, abs=0.05)
            end += float(width)
        ends.append(end)
    assert len(ends) == 4  # by stage on the first screen, by stage and kind further down
    assert max(ends[:2]) == pytest.approx(100, abs=0.1)
    assert ends[:2] == pytest.approx(ends[2:], abs=0.1)


def test_a_curve_of_turns_without_packets_ends_below_the_top() -> None:
    values = (100.0, 200.0, 300.0)
    svg = ecdf_svg([Curve("all", 1, values, 3), Curve("half", 2, values, 6)], "three values", "salt")
    heights = []
    for series in (1, 2):
        path = re.search(rf'<path d="([^"]*)"[^>]*stroke: var\(--series-{series}\)', svg)
        assert path is not None
        ys = [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path[1])]
        heights.append(max(ys) - min(ys))
    assert heights[1] == pytest.approx(heights[0] / 2, rel=0.01)


def test_damaged_evidence_loses_only_its_own_picture() -> None:
    class Damaged(MemoryRun):
        def evidence(self, turn: Turn) -> Evidence:
            raise RunError("The trace is damaged.")

    run = sample_run()
    html = render_report([Damaged(run.path, run.manifest, run.segments, run.turns)])
    assert "The trace is damaged." in html
    assert "direct sends its first packet" in html


def test_a_report_of_two_runs_compares_them_or_says_why_not() -> None:
    first, second = sample_run("monday"), sample_run("tuesday", seed=2)
    page = Page(render_report([first, second]))
    assert "cascade in tuesday" in page.all_text()
    other = replace(
        second, manifest=replace(second.manifest, options=replace(second.manifest.options, t0="last_frame"))
    )
    assert ": their clocks start at different moments" in render_report([first, other])


def test_a_run_without_any_answer_still_has_a_report() -> None:
    run = sample_run()
    turns = tuple(replace(turn, outcome="failed", figures={}, path=(), hidden={}) for turn in run.turns)
    silent = replace(run, turns=turns)
    assert "Too few turns" in render_report([silent])
    nothing = replace(run, segments=(), turns=())
    assert "the run is unfinished" in render_report([nothing])


def test_one_label_has_its_own_sentence() -> None:
    run = sample_run()
    manifest = replace(run.manifest, labels=run.manifest.labels[:1])
    turns = tuple(turn for turn in run.turns if turn.label == "cascade")
    page = Page(render_report([replace(run, manifest=manifest, turns=turns)]))
    said = (
        r"cascade sends its first packet after \d+ ms \(95 % CI \d+ to \d+ ms\), its first audible sample after \d+ ms "
        r"\(95 % CI \d+ to \d+ ms\): medians of 23 turns on 23 clips \[on Some GPU\]\."
    )
    assert re.fullmatch(said, page.heading)


def test_the_file_is_written_to_the_given_path(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    assert write_report([sample_run()], out) == out
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(RunError, match="Cannot write"):
        write_report([sample_run()], tmp_path)
    with pytest.raises(UsageError):
        write_report([], out)


def test_the_page_of_a_thousand_turns_per_label_stays_small() -> None:
    assert len(render_report([sample_run("large", blocks=20, clips=50)])) < 5_000_000


def test_importing_the_report_loads_no_matplotlib_pandas_or_torch() -> None:
    code = "import sys, firstpacket.bench.report as r; print({'matplotlib', 'pandas', 'torch'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
