"""The report on a run whose turns are laid out by rule: `STAGES` says how long each stage takes."""

import re
import subprocess
import sys
import time
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest

from bench.errors import RunError, UsageError
from bench.metrics.figures import turn_figures
from bench.pipeline import Stage, Weights
from bench.record.schema import Delivery, Evidence, LabelFacts, LabelPlan, Manifest, Segment, Turn, UtteranceFacts
from bench.record.store import Run
from bench.report.ecdf import Curve, ecdf_svg
from bench.report.html import render_report, write_report
from bench.report.timeline import median_turn, timelines
from bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, Text, TurnTrace

MS = 1_000_000
STAGES = {
    "cascade": (("asr", "listen", 180, False), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 210, True),
                ("tts", "speak", 150, False), ("copy", "move", 2, False)),
    "direct": (("encoder", "listen", 45, True), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 70, True),
               ("vocoder", "speak", 30, True), ("copy", "move", 2, False)),
}  # fmt: skip
"""Per label: stage, role, ms it takes on a clip of factor 1, whether a GPU does the work."""


class MemoryRun(Run):
    """A run whose evidence is at hand instead of on disk."""

    def evidence(self, turn: Turn) -> Evidence:
        return EVIDENCE[self.manifest.run, turn.turn]


EVIDENCE: dict[tuple[str, int], Evidence] = {}


def trace_of(label: str, factor: float, t0_ns: int, said: str) -> TurnTrace:
    """Stages one after the other from t0 on, each with a hand-off to the next; four packets 80 ms apart."""
    spans, hand_offs, waits, now = [], [], [], t0_ns
    for stage, _, ms, on_gpu in STAGES[label]:
        start, now = now, now + round(ms * factor * MS)
        gpu = GpuSpan(7, start + MS // 2, now - MS // 4, 4000) if on_gpu else None
        after = hand_offs[-1].id if hand_offs else None
        spans.append(StageSpan(stage, 1, start, now, after, now if stage == "llm.prefill" else None, gpu))
        if on_gpu:
            waits.append(DeviceWait(1, start + round(0.3 * ms * MS), now))
        hand_offs.append(HandOff(len(hand_offs), stage, 1, now))
    last = hand_offs[-1].id
    packets = tuple(PacketStamp(now + step * 80 * MS, 1920, 24000, 1, last if step == 0 else None) for step in range(4))
    texts = (Text("transcript", said), Text("reply", f"You said: {said}"))
    return TurnTrace(tuple(spans), tuple(hand_offs), tuple(waits), texts=texts, packets=packets, events=12)


def sample_run(name="sample", blocks=1, clips=24, origin="published", rename=lambda text: text, seed=1) -> MemoryRun:
    random = Random(seed)
    ids = [rename(f"clip-{clip:02}") for clip in range(clips)]
    factors = {clip: random.uniform(0.8, 1.3) for clip in ids}
    turns: list[Turn] = []
    for block in range(-1, blocks):
        for clip in ids if block >= 0 else ids[:1]:
            for label in STAGES:
                turns.append(_turn(name, len(turns), block, label, clip, factors[clip] * random.gauss(1, 0.02), rename))
    plans = tuple(
        LabelPlan(rename(label), label, "cuda", "bfloat16", {"chunk": 40}, tuple(Stage(s, r) for s, r, *_ in stages))
        for label, stages in STAGES.items()
    )
    facts = tuple(
        LabelFacts(rename(label), 4200 * MS, 1, (Weights("llm", origin, "hub/model", "8B"),)) for label in STAGES
    )
    environment = {"cpu": "Some CPU", "gpu0": "Some GPU", "os": "Linux", "python": "3.11.7", "governor": None}
    heard = tuple(
        UtteranceFacts(clip, "e" * 64, 2000.0, 1800.0, "annotated", rename(f"text of {clip}"), "CC-BY-4.0")
        for clip in ids
    )
    said = {"schema": 1, "run": name, "created": "2025-01-01T12:00:00Z", "command": ("bench", "run", "--seed", "1"),
            "input": "file", "t0": "end of speech, handed over at one instant", "turns": blocks * clips, "warmup": 1,
            "seed": 1, "deadline_ms": 10_000.0, "labels": plans, "corpus": "questions", "corpus_sha256": "ab" * 32,
            "utterances": heard, "notices": ()}  # fmt: skip
    manifest = Manifest(**{item.name: "" for item in fields(Manifest)} | said)
    segment = Segment(0, "2025-01-01T12:00:01Z", 0, 0, environment, {"numpy": "2.0"}, facts)
    return MemoryRun(Path("somewhere"), manifest, (segment,), tuple(turns))


def _turn(run: str, number: int, block: int, label: str, clip: str, factor: float, rename) -> Turn:
    """The evidence of a turn, and the turn with the figures that this evidence has."""
    t0_ns = (1 + number) * 10_000 * MS
    failed = number == 20
    trace = TurnTrace() if failed else trace_of(label, factor, t0_ns, rename(f"text of {clip}"))
    outcome = "timeout" if failed else "answered"
    levels = () if failed else (0.0,) * 3 + (0.1,) * 29
    seen = Evidence(number, rename(label), clip, outcome, Delivery(t0_ns, t0_ns, t0_ns, (0,)), trace, levels)
    EVIDENCE[run, number] = seen
    found = turn_figures(seen)
    return Turn(
        number, 0, max(block, 0), "measured" if block >= 0 else "cold", rename(label), clip, outcome, found.figures,
        found.path, found.path_error_ns, found.hidden, 0, 0, 0,
    )  # fmt: skip


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
        r"direct answers \d+ ms sooner than cascade to the first packet "
        r"\(95 % CI \d+ to \d+, 23 pairs on 23 clips, 1 lost\)\.",
        answer,
    )


def test_all_turns_are_in_the_table_and_none_twice(html: str) -> None:
    rows = re.findall(r'<tr><td class="n">(\d+)<td>(cold|measured)<td>', html)
    assert [int(number) for number, _ in rows] == list(range(50))
    assert sum(phase == "measured" for _, phase in rows) == 48


def test_turns_stand_in_the_order_of_the_record() -> None:
    run = sample_run()
    html = render_report([MemoryRun(run.path, run.manifest, run.segments, run.turns[2:] + run.turns[:2])])
    numbers = [int(number) for number in re.findall(r'<tr><td class="n">(\d+)<td>', html)]
    assert numbers == [*range(2, 50), 0, 1]


def test_the_file_needs_nothing_from_outside(html: str) -> None:
    for tag, attributes in Page(html).elements:
        assert tag not in {"script", "link", "iframe", "object", "img"}
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_the_same_run_gives_the_same_bytes(html: str) -> None:
    assert render_report([sample_run()]) == html


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}$x^"


def test_hostile_texts_labels_and_ids_stay_text() -> None:
    run = sample_run("hostile", rename=lambda text: text + HOSTILE)
    manifest = replace(run.manifest, run=HOSTILE, corpus=HOSTILE, t0=HOSTILE, command=(HOSTILE,), notices=(HOSTILE,))
    EVIDENCE.update({(HOSTILE, number): seen for (name, number), seen in EVIDENCE.items() if name == "hostile"})
    segment = replace(run.segments[0], environment={HOSTILE: HOSTILE, "cpu": HOSTILE}, packages={HOSTILE: HOSTILE})
    turns = tuple(replace(turn, flags=(HOSTILE,), reason=HOSTILE) for turn in run.turns)
    page = Page(render_report([MemoryRun(run.path, manifest, (segment,), turns)]))
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>" in page.all_text()
    assert "{{ 7*7 }}" in page.all_text()


def test_an_answer_before_the_user_had_finished_is_in_plain_sight(html: str) -> None:
    run = sample_run("early")
    turns = tuple(replace(turn, flags=("false_endpoint",)) if turn.label == "direct" else turn for turn in run.turns)
    told = Page(render_report([replace(run, turns=turns)])).all_text()
    assert re.search(r"direct took the user to have finished too early in (\d+) of \1 measured turns", told)
    assert "too early" not in Page(html).all_text()


def test_dummy_weights_are_in_plain_sight() -> None:
    page = Page(render_report([sample_run("dummy", origin="dummy")]))
    assert "times only; unmatched; the answers mean nothing" in page.heading
    assert any("origin-dummy" in (attributes.get("class") or "") for _, attributes in page.elements)
    assert "llm: dummy" in page.all_text()


def test_unsupported_percentiles_are_not_numbers(html: str) -> None:
    assert "n/a (n=23 &lt; 64)" in html
    assert "n/a (n=24 &lt; 662)" in html


def test_the_parts_of_the_path_stand_end_to_end_and_fill_the_longest_bar(html: str) -> None:
    ends = []
    for track in html.split('<div class="track">')[1:]:
        bars = re.findall(r'class="bar [^"]*" style="left:([\d.]+)%;width:([\d.]+)%', track)
        end = 0.0
        for left, width in bars:
            assert float(left) == pytest.approx(end, abs=0.05)
            end += float(width)
        ends.append(end)
    assert len(ends) == 2
    assert max(ends) == pytest.approx(100, abs=0.1)


def test_a_curve_of_turns_without_packets_ends_below_the_top() -> None:
    values = (100.0, 200.0, 300.0)
    svg = ecdf_svg([Curve("all", 1, "", values, 3), Curve("half", 2, "", values, 6)], "salt")
    heights = []
    for series in (1, 2):
        path = re.search(rf'<path d="([^"]*)"[^>]*stroke: var\(--series-{series}\)', svg)
        assert path is not None
        ys = [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path[1])]
        heights.append(max(ys) - min(ys))
    assert heights[1] == pytest.approx(heights[0] / 2, rel=0.01)


def test_the_median_turn_is_laid_out_from_t0() -> None:
    run = sample_run()
    turn = median_turn(run, "direct")
    assert turn is not None
    drawn = timelines(run)
    assert drawn.scale is not None
    line = drawn.turns[1]
    assert (line.turn, line.label) == (turn.turn, "direct")
    encoder = line.rows[0]
    assert (encoder.stage, encoder.role, len(encoder.gpu)) == ("encoder", "listen", 1)
    assert encoder.host[0].left == pytest.approx(line.t0)
    assert line.packets[0] == pytest.approx(line.first_packet)
    assert line.first_packet < drawn.turns[0].first_packet == pytest.approx(100 / 1.2)


def test_damaged_evidence_costs_its_picture_and_nothing_else() -> None:
    class Damaged(MemoryRun):
        def evidence(self, turn: Turn) -> Evidence:
            raise RunError("The trace is damaged.")

    run = sample_run()
    html = render_report([Damaged(run.path, run.manifest, run.segments, run.turns)])
    assert "The trace is damaged." in html
    assert "direct answers" in html


def test_runs_stand_beside_each_other_or_are_refused() -> None:
    first, second = sample_run("monday"), sample_run("tuesday", seed=2)
    page = Page(render_report([first, second]))
    assert "cascade in tuesday" in page.all_text()
    other = MemoryRun(second.path, replace(second.manifest, t0="last frame"), second.segments, second.turns)
    assert "cannot be compared: their clocks start at different moments" in render_report([first, other])


def test_a_run_without_any_answer_still_has_a_report() -> None:
    run = sample_run()
    turns = tuple(replace(turn, outcome="failed", figures={}, path=(), hidden={}) for turn in run.turns)
    silent = MemoryRun(run.path, run.manifest, run.segments, turns)
    assert "Too few turns" in render_report([silent])
    nothing = MemoryRun(run.path, run.manifest, (), ())
    assert "the run is unfinished" in render_report([nothing])


def test_one_label_has_its_own_sentence() -> None:
    run = sample_run()
    manifest = replace(run.manifest, labels=run.manifest.labels[:1])
    turns = tuple(turn for turn in run.turns if turn.label == "cascade")
    page = Page(render_report([MemoryRun(run.path, manifest, run.segments, turns)]))
    said = r"cascade reaches the first packet after \d+ ms \(median, 95 % CI \d+ to \d+, 23 turns on 23 clips\)\."
    assert re.fullmatch(said, page.heading)


def test_the_file_is_written_where_asked(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    assert write_report([sample_run()], out) == out
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(RunError, match="Cannot write the report"):
        write_report([sample_run()], tmp_path)
    with pytest.raises(UsageError):
        write_report([], out)


def test_a_thousand_turns_a_label_take_seconds_and_stay_small() -> None:
    run = sample_run("large", blocks=20, clips=50)
    begun = time.perf_counter()
    html = render_report([run])
    assert time.perf_counter() - begun < 15
    assert len(html) < 500_000


def test_reading_a_report_module_loads_neither_matplotlib_nor_pandas_nor_torch() -> None:
    code = "import sys, bench.report; print([m for m in ('matplotlib', 'pandas', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
