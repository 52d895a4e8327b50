"""The report's section on turns: complete, escaped, and small."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.runs import make_run
from support.spoken_run import spoken_run

from firstpacket.bench.analysis.dataframe import turns_csv
from firstpacket.bench.errors import RunError
from firstpacket.bench.record.schema import Evidence, Turn
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.turns import audio_choice, expanded, turn_script, turn_section

ANCHOR = "run-1"
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)><!--{{ 7*7 }}"


class Section(HTMLParser):
    """What a browser would make of the section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(html))  # not as Markup, whose parts would be escaped again

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, name: str) -> list[str]:
        """Values of an attribute of all elements of a kind that have it."""
        return [attributes[name] or "" for each, attributes in self.elements if each == tag and name in attributes]


def packed(html: str) -> dict[str, str]:
    """The turns that are expanded on demand."""
    found = re.search(r'class="turns-data"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(json.loads(found[1])["gzip"])))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twelve clips, so that two turns of each label are not among its worst ten."""
    return read_run(spoken_run(tmp_path_factory.mktemp("spoken")))


@pytest.fixture(scope="module")
def html(run: Run) -> str:
    return turn_section(run, ANCHOR)


def test_every_turn_has_one_row_and_one_detail(run: Run, html: str) -> None:
    numbers = sorted(int(each) for each in Section(html).all("tbody", "data-turn"))
    assert numbers == sorted(turn.turn for turn in run.turns)
    at_once = {int(each) for each in re.findall(r'data-turn="(\d+)"[^>]*><tr>[^\n]*\n<tr class="turn-open">', html)}
    later = {int(each) for each in packed(html)}
    assert len(at_once) == 20
    assert at_once | later == set(numbers)
    assert not at_once & later
    by_number = {turn.turn: turn for turn in run.turns}
    assert "cold" in {by_number[each].phase for each in later}


def test_the_figures_of_every_turn_are_those_of_the_run(run: Run) -> None:
    """In the row, in the expanded text, and above the pictures of the medians."""
    later = {"response_latency": 7_000_000}
    run = replace(
        run,
        turns=tuple(
            replace(turn, figures={name: ns + later.get(name, 0) for name, ns in turn.figures.items()})
            for turn in run.turns
        ),
    )
    html = turn_section(run, ANCHOR)
    rows = dict(re.findall(r'<tbody id="[^"]*" data-turn="(\d+)"[^>]*><tr>(.*)', html))
    expanded = packed(html)
    by_label: dict[str, list[float]] = {}
    for turn in run.turns:
        cells = [re.sub("<.*", "", cell) for cell in re.split("<td[^>]*>", rows[str(turn.turn)])[1:]]
        for name, shown in zip(("first_packet_latency", "response_latency", "stall_total"), cells[6:9], strict=True):
            ns = turn.figures.get(name)
            assert bool(shown) == bool(ns), (turn.turn, name)
            assert not shown or float(shown) == pytest.approx(ns / 1e6, rel=0.005, abs=0.05)
        first = turn.figures.get("first_packet_latency")
        if first is not None and str(turn.turn) in expanded:
            (said,) = re.findall(r"first packet ([\d.]+) ms after t0", expanded[str(turn.turn)])
            assert float(said) == pytest.approx(first / 1e6, rel=0.005)
        if first is not None and turn.phase == "measured":
            by_label.setdefault(turn.label, []).append(first / 1e6)
    medians = re.findall(r"<figcaption><b>(\w+)</b> ([\d.]+) ms to the first packet", html)
    assert {label for label, _ in medians} == set(by_label)
    for label, ms in medians:
        middle = sorted(by_label[label])[(len(by_label[label]) - 1) // 2 : len(by_label[label]) // 2 + 1]
        assert min(abs(each - float(ms)) for each in middle) < 0.5


def test_an_expanded_turn_shows_question_transcript_and_reply(html: str) -> None:
    opened = next(part for part in html.split('<tr class="turn-open">') if "<dd>question 11</dd>" in part)
    named = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", opened))
    assert (named["question"], named["reference answer"]) == ("question 11", "a tone")
    assert named["reply"] == "reply 11"


def test_the_path_in_the_text_adds_up(html: str) -> None:
    said = re.findall(r"<dt>critical path</dt><dd>(.*?) = ([\d.]+) ms", html)
    assert len(said) == 19
    for parts, total in said:
        assert sum(float(ms) for ms in re.findall(r"([\d.]+) ms", parts)) == pytest.approx(float(total), abs=1.5)


def test_the_download_equals_the_export(run: Run, html: str) -> None:
    link = next(each for each in Section(html).all("a", "href") if each.startswith("data:application/gzip"))
    assert gzip.decompress(base64.b64decode(link.partition(",")[2])).decode() == turns_csv(run)


def test_without_pandas_the_missing_download_is_explained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "Tables need pandas" in turn_section(run, ANCHOR)


def test_the_same_run_gives_the_same_bytes(run: Run, html: str) -> None:
    assert turn_section(run, ANCHOR) == html


def test_ids_of_two_runs_on_a_page_differ(run: Run, html: str) -> None:
    ids = [each for _, attributes in Section(html).elements if (each := attributes.get("id"))]
    assert len(ids) == len(set(ids))
    assert all(each.startswith(f"{ANCHOR}-") for each in ids)
    named = {attributes.get("aria-labelledby") for _, attributes in Section(html).elements} - {None}
    assert named <= {*ids}


def test_texts_from_outside_stay_text(tmp_path: Path) -> None:
    written = spoken_run(tmp_path, clips=3, rename=lambda text: text + HOSTILE.replace("/", "∕"))
    run = read_run(written)
    spoilt = replace(run, turns=tuple(replace(turn, flags=(HOSTILE,), reason=HOSTILE) for turn in run.turns))
    html = turn_section(spoilt, ANCHOR)
    for part in (html, *packed(html).values()):
        section = Section(part)
        assert {tag for tag, _ in section.elements}.isdisjoint({"img", "iframe"})
        assert all(
            attributes.get("type") == "application/json" for tag, attributes in section.elements if tag == "script"
        )
        assert not any(name.startswith("on") for _, attributes in section.elements for name in attributes)
    assert "<script>alert(1)" in Section(html).text
    assert "{{ 7*7 }}" in Section(html).text


def test_a_damaged_trace_loses_only_the_pictures_of_its_turn(run: Run) -> None:
    class Damaged(Run):
        def evidence(self, turn: Turn) -> Evidence:
            raise RunError("The trace is damaged.")

    html = turn_section(Damaged(run.path, run.manifest, run.segments, run.turns), ANCHOR)
    assert html.count("The trace is damaged.") >= 20
    assert len(Section(html).all("tbody", "data-turn")) == len(run.turns)
    assert "first packet 381 ms after t0" in html


def test_turns_beyond_the_trace_budget_keep_their_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanded, "MOST_TRACES", 22)
    opened = packed(turn_section(run, ANCHOR))
    left_out = [part for part in opened.values() if "Trace not included" in part and "bench trace" in part]
    assert len(left_out) == len(run.turns) - 22
    assert all("first packet" in part and "reference answer" in part for part in left_out)


def test_recordings_of_a_report_stay_within_the_byte_budget(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_choice, "MOST_S", 10**6)
    for share in (1.0, 0.01):
        html = turn_section(run, ANCHOR, share)
        sounds = re.findall(r"data:audio/mpeg;base64,([^\"]+)", html + "".join(packed(html).values()))
        assert 0 < sum(map(len, sounds)) <= audio_choice.SOUND_BYTES * share


def test_a_run_without_turns_has_a_section() -> None:
    made = make_run({"a": [1]})
    html = turn_section(replace(made, turns=()), ANCHOR)
    assert "All 0 turns" in html
    assert "no turns to download" in html


def test_thousands_of_turns_stay_small() -> None:
    """Without evidence, so that only what grows with every turn is counted."""
    made = make_run({label: [100 + at % 97 for at in range(1000)] for label in "abcd"})
    html = turn_section(made, ANCHOR)
    assert len(Section(html).all("tbody", "data-turn")) == 4000
    assert len(html) < 3 * 2**20


def test_the_script_makes_no_requests_and_evaluates_no_text() -> None:
    script = turn_script()
    for forbidden in ("fetch(", "XMLHttpRequest", "eval(", "import(", "http:", "https:", "</script"):
        assert forbidden not in script
