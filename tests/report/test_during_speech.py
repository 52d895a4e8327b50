"""A system that works in blocks while the user speaks, and one that waits: on virtual time, so that all is exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import here
from support.html import read_back
from support.virtual import virtual_run

from firstpacket.bench.analysis.turn_trace import checked_turn
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.formats import rendered
from firstpacket.bench.report.turns.details import opened
from firstpacket.bench.report.turns.pictures import heard_picture
from firstpacket.bench.summary.summarise import summarise

EARLY = (
    "rest 50; encoder 10; llm.prefill 5; rest 50; encoder 20; llm.prefill 5; hear; encoder 8; llm.prefill 2 token; "
    "vocoder 10; packet 200"
)
"""40 ms of work while the user speaks for 200 ms, and 20 ms after that."""
WAITS = "hear; encoder 40; llm.prefill 10 token; vocoder 10; packet 200"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("early") / "run"
    return read_run(virtual_run(folder, {"early": EARLY, "waits": WAITS}, "realtime", count=8))


def test_the_summary_has_the_work_by_stage_and_its_share(run: Run) -> None:
    early, waits = summarise(run).labels
    assert early.during_speech is not None
    assert early.during_speech.total.value == 40
    assert {stage: mean.value for stage, mean in early.during_speech.stages.items()} == {
        "encoder": 30,
        "llm.prefill": 10,
    }
    assert early.during_speech.share is not None
    assert early.during_speech.share.value == pytest.approx(40 / 60)
    assert early.path.total_ms == 20
    assert waits.during_speech is not None
    assert (waits.during_speech.total.value, waits.during_speech.stages) == (0, {})


def test_file_input_has_none_and_no_column(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"waits": WAITS}, count=8))
    assert summarise(run).labels[0].during_speech is None
    assert "during speech" not in rendered([run], "md")


def test_a_column_without_anything_in_it_is_left_out(tmp_path: Path) -> None:
    folder = virtual_run(tmp_path / "run", {"waits": WAITS}, "realtime", count=8)
    assert "during" not in here("show", folder).stdout


def test_terminal_page_and_json_say_the_same(run: Run) -> None:
    assert "during" in here("show", run.path).stdout
    shown = json.loads(here("show", run.path, "--json").stdout)["labels"]["early"]
    assert shown["during_speech"]["total"]["value"] == shown["figures"]["work_during_speech"]["p50"]["value"] == 40
    pages = read_back(run)
    assert pages["/summary/labels/early/during_speech/stages/encoder/value"] == "30.0 ms"
    assert pages["/summary/labels/early/during_speech/share/value"] == "67 %"
    assert "/summary/labels/waits/during_speech/total/value" not in pages


def test_a_turn_shows_when_it_worked(run: Run) -> None:
    turns = {turn.label: turn for turn in run.turns}
    early, waits = (checked_turn(run, turns[label]) for label in ("early", "waits"))
    assert [lane.name for lane in heard_picture(early, 200).lanes] == ["user", "work", "player", "buffer", "packets"]
    assert [lane.name for lane in heard_picture(waits, 200).lanes] == ["user", "player", "buffer", "packets"]
    work = heard_picture(early, 200).lanes[1]
    assert work.said == "stages at work; 40.0 ms of it before the end of speech"
    assert {stroke.looks for stroke in work.strokes} == {"host role-listen", "host role-think", "host role-speak"}
    assert dict(opened(early, None, ()).facts)["work during speech"] == "encoder 30.0 ms, llm.prefill 10.0 ms"
    assert "work during speech" not in dict(opened(waits, None, ()).facts)


def test_figures_follow_from_the_evidence(run: Run) -> None:
    for turn in run.turns:
        assert turn_figures(run.evidence(turn)).figures["work_during_speech"] == turn.figures["work_during_speech"]
