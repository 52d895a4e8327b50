"""The table of starts: every difference between two of them, by label, and how the end of speech was determined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.html import read_back
from support.runs import make_utterance_facts
from support.virtual import virtual_run

from firstpacket.bench.analysis.t0_table import t0_table
from firstpacket.bench.record.schema import UtteranceFacts
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.html import render_report

DECIDED = "hear; rest 30; encoder 10; packet 100"
EARLY = "encoder 50; rest 250; packet 100"
DECISION_MS = 12.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eight clips; the request goes out 30 ms after the end of speech, and an endpoint is written into the turns."""
    path = virtual_run(tmp_path_factory.mktemp("starts") / "run", {"decided": DECIDED, "early": EARLY}, "realtime", 8)
    found = read_run(path)
    turns = [
        replace(turn, figures={**turn.figures, "endpointing_delay": round(DECISION_MS * 1e6)})
        if turn.label == "decided"
        else turn
        for turn in found.turns
    ]
    return replace(found, turns=tuple(turns))


def clip(name: str, source: str = "annotated", **ends: float | None) -> UtteranceFacts:
    (made,) = make_utterance_facts(
        1, speech_end_ms=1000.0, speech_end_source=source, speech_end_estimates_ms=dict(ends)
    )
    return replace(made, id=name)


def of_clips(run: Run, *clips: UtteranceFacts) -> str:
    return "; ".join(t0_table(replace(run, manifest=replace(run.manifest, utterances=clips))).end_of_speech)


def test_every_pair_of_starts_is_listed_once(run: Run) -> None:
    table = t0_table(run)
    told = {
        (row.label, row.start, name): (round(each.value, 6), each.n)
        for row in table.rows
        for name, each in row.to.items()
        if each is not None
    }
    assert told == {
        ("decided", "end of speech", "last frame delivered"): (0, 8),
        ("decided", "end of speech", "endpoint decided"): (12, 8),
        ("decided", "end of speech", "request sent"): (30, 8),
        ("decided", "last frame delivered", "endpoint decided"): (12, 8),
        ("decided", "last frame delivered", "request sent"): (30, 8),
        ("decided", "endpoint decided", "request sent"): (18, 8),
        ("early", "end of speech", "last frame delivered"): (0, 8),
    }


def test_differences_are_taken_turn_by_turn(run: Run) -> None:
    """Two medians may differ by more or less than the median of the differences."""
    slow = [
        replace(turn, figures={**turn.figures, "endpointing_delay": 10**6 * step, "request_delay": 10**6 * (step + 5)})
        for step, turn in enumerate(turn for turn in run.turns if turn.label == "decided")
    ]
    (row,) = [row for row in t0_table(replace(run, turns=tuple(slow))).rows if row.start == "endpoint decided"]
    estimate = row.to["request sent"]
    assert estimate is not None and estimate.value == 5
    assert estimate.interval is not None and estimate.interval.low == estimate.interval.high == 5


def test_only_answered_and_measured_turns_count(run: Run) -> None:
    turns = [replace(turn, outcome="failed") if turn.turn % 2 else turn for turn in run.turns]
    measured = [turn for turn in turns if turn.phase == "measured" and turn.outcome == "answered"]
    (first, *_) = t0_table(replace(run, turns=tuple(turns))).rows
    assert first.to["last frame delivered"] is not None
    assert first.to["last frame delivered"].n == sum(turn.label == "decided" for turn in measured) < 8


def test_a_run_without_turns_has_no_rows(run: Run) -> None:
    assert t0_table(replace(run, turns=())).rows == ()


def test_it_states_how_the_end_of_speech_was_determined(run: Run) -> None:
    assert "estimated in 0 of 8 clips (0 %)" in t0_table(run).end_of_speech[0]
    assert "not checked by detectors" in t0_table(run).end_of_speech[1]
    said = of_clips(
        run,
        clip("a", "estimated", level=1000.0, silero=1039.0),
        clip("b", level=1000.0, silero=1041.0),
        clip("c", level=1000.0, silero=None),
        clip("d"),
    )
    assert said == (
        "estimated in 1 of 4 clips (25 %), annotated in the others; checked in 3 clips by level, silero; "
        "largest difference 41.0 ms (b); over 40 ms in 1 clip; a detector found no speech in 1 clip"
    )


def test_the_report_shows_the_table(run: Run, tmp_path: Path) -> None:
    html = render_report([run])
    assert "Choice of t0" in html
    assert "decided</th><td>endpoint decided</td>" in html
    assert "estimated in 0 of 8 clips" in html
    assert "RMS over -40 dBFS sustained for 50 ms" in html
    text = read_back(run)
    table = t0_table(run)
    assert text.keys() >= {
        f"/t0_table/rows/{place}/to/{name}/value"
        for place, row in enumerate(table.rows)
        for name, each in row.to.items()
        if each is not None
    }
    decided = [place for place, row in enumerate(table.rows) if row.label == "decided"]
    at = f"/t0_table/rows/{decided[0]}/to/endpoint decided"
    assert (text[f"{at}/value"], text[f"{at}/interval/low"], text[f"{at}/interval/high"]) == ("12.0 ms", "12.0", "12.0")
