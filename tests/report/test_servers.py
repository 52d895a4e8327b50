"""What is shown of a server: our stages beside what it says of itself, and how it was reached, in every format."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from support.html import read_back
from support.remote import FACTS, URL, served_run
from support.runs import make_run

from firstpacket.bench.analysis.turn_trace import checked_turn
from firstpacket.bench.export.markdown import markdown
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.formats import rendered
from firstpacket.bench.report.printed import print_run
from firstpacket.bench.report.servers import reasons_table, says_table, server_tables, servers_table
from firstpacket.bench.report.turns.details import opened
from firstpacket.bench.report.turns.pictures import stage_picture, stage_scale
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.table import Table, text
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.timing.spans import ServerFigure


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(served_run(tmp_path_factory.mktemp("served") / "run"))


def cells(table: Table) -> list[list[str]]:
    return [[text(cell) for cell in row.cells] for row in table.rows]


def test_our_stages_and_the_servers_own_figures_are_apart_in_one_table(run: Run) -> None:
    shown = says_table(summarise(run))
    assert [(figure, by, mean.partition(" [")[0]) for _, figure, by, _, mean, _ in cells(shown)] == [
        ("uplink", "the client", "10.0 ms"),
        ("endpoint", "the client", "200 ms"),
        ("wait", "the client", "200 ms"),
        ("first packet", "the client", "410 ms"),
        ("stt", "the server", "90.0 ms"),
        ("e2e", "the server", "350 ms"),
        ("first packet - e2e", "both", ""),
    ]
    assert cells(shown)[-1][3].startswith("+60.0 ms [60.0, 60.0]")
    assert len(shown.groups) == 2
    label = next(each for each in summarise(run).labels if each.label == "realtime")
    assert label.path.total is not None
    assert sum(part.mean.value for part in label.path.parts) == pytest.approx(label.path.total.value)
    assert "by the server's clock" in shown.notes[0] and "need not add up" in shown.notes[0]


def test_how_the_server_was_reached(run: Run) -> None:
    shown = servers_table(summarise(run))
    assert [heading.text for heading in shown.headings] == ["server", "realtime"], "the cascade has none"
    found = dict(cells(shown))
    assert found["audio"] == "paced by the server"
    assert found["sessions opened"] == "1" and found["session set-up"].startswith("300 ms")
    assert found["fastest round trip"] == "5.0 ms" and found["jitter of round trips"] == "1.0 ms"
    assert found["leading silence"].startswith("40.0 ms")
    assert found["lowest rate limit left"] == "90 %"
    assert "reopened before turns" not in found, "rows without any value are left out"


def test_every_format_shows_the_tables(run: Run) -> None:
    console = Console(record=True, width=200, file=StringIO())
    print_run(console, run, summarise(run))
    forms = (console.export_text(), rendered([run], "html"), rendered([run], "md"), markdown(run))
    for form in forms:
        plain = form.replace("\\", "")
        assert "Server-reported figures" in plain
        assert "Servers, as their clients see them" in plain
        assert f"realtime: {FACTS['server']}, dialect {FACTS['dialect']}, at " in plain
    assert URL in forms[0]


def test_figures_have_their_place_in_the_json(run: Run) -> None:
    pointers = set(read_back(run))
    for place in (
        "server/over_e2e/value",
        "server/pace/rtf/value",
        "server/rate_limit_left",
        "figures/server.e2e/mean",
    ):
        assert f"/summary/labels/realtime/{place}" in pointers


def test_a_run_without_servers_shows_none() -> None:
    summary = summarise(make_run({"a": [100.0] * 8}))
    assert server_tables(summary) == ()
    assert summary.labels[0].server is None


def test_reasons_are_counted_and_long_ones_shortened() -> None:
    run = make_run({"a": [100.0, "busy", "busy", "refused", "timeout"]})
    reasons = {"busy": "no free session", "refused": "x" * 500}
    run = replace(run, turns=tuple(replace(turn, reason=reasons.get(turn.outcome, "")) for turn in run.turns))
    assert cells(reasons_table(summarise(run))) == [
        ["a", "busy", "2", "no free session"], ["a", "refused", "1", "x" * 200 + "…"], ["a", "timeout", "1", ""]
    ]  # fmt: skip


def test_notices_say_what_limits_the_figures() -> None:
    run = make_run({"a": [100.0] * 8, "b": [100.0] * 8})
    noted = {"leading_silence": 80_000_000, "round_trip": 1, "rate_limit_left": 0.04, "rtf_steady": 1.0}
    turns = [
        replace(turn, figures=turn.figures | noted, flags=("session_renewed",) if turn.turn == 3 else ())
        if turn.label == "a"
        else turn
        for turn in run.turns
    ]
    turns[3] = replace(turns[3], figures=turns[3].figures | {"session_setup": 5})
    told = summarise(replace(run, turns=tuple(turns))).notices
    assert [notice for notice in told if notice.startswith("replies of a begin with 80.0 ms of silence")]
    assert [notice for notice in told if notice.startswith("only 4.0 % of a rate limit of a's server was left")]
    assert [notice for notice in told if notice.startswith("the audio of a is paced by the server")]
    assert [notice for notice in told if "reopened before 1 turn (3)" in notice]
    assert not [notice for notice in told if " of b " in notice]


def test_a_turn_shows_messages_and_what_the_server_says(run: Run) -> None:
    turn = next(turn for turn in run.measured("realtime"))
    one = checked_turn(run, turn)
    lanes = {lane.name: lane for lane in stage_picture(one, stage_scale([one])).lanes}
    assert lanes["messages"].said == "2 messages sent (above), 7 received (below)"
    says = lanes["server reports"]
    assert "stt 90.0 ms, e2e 350 ms" in says.said and "without start times" in says.said
    assert [stroke.looks for stroke in says.strokes] == ["says", "says whole"]
    facts = dict(opened(one, None, ()).facts)
    assert facts["reported by the server"] == "stt 90.0 ms, e2e 350 ms (by its own clock; these need not add up)"
    assert facts["messages"].startswith(
        "2 sent, 7 received; first of each type after t0: input_audio_buffer.append 0 ms, "
    )


def test_parts_of_the_servers_bar_are_as_long_as_it_says(run: Run) -> None:
    one = checked_turn(run, run.measured("realtime")[0])
    scale = stage_scale([one])
    per_ms = 1000 / (scale.end_ms - scale.start_ms)
    three = tuple(ServerFigure(name, ms * NS_PER_MS) for name, ms in (("stt", 100), ("llm", 200), ("e2e", 310)))
    two = replace(one, evidence=replace(one.evidence, trace=replace(one.trace, server_figures=three)))
    (lane,) = [lane for lane in stage_picture(two, scale).lanes if lane.name == "server reports"]
    first, second, whole = (stroke.d for stroke in lane.strokes)
    begin = round(-scale.start_ms * per_ms)
    assert first.startswith(f"M{begin} ") and second.startswith(f"M{round(begin + 100 * per_ms)} ")
    assert f"h{round(310 * per_ms)}v5" in whole
