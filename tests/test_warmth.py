"""Cold, warm and idle turns in summaries, notices, JSON, report and terminal; and the flags that enable them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import here, write_clips
from support.runs import make_run, make_turn
from support.virtual import make_utterances, scripted_manifest

from firstpacket.bench.contract import as_json
from firstpacket.bench.metrics.warmup_decision import warm_ups
from firstpacket.bench.record.rules import WarmupRule
from firstpacket.bench.record.schema import Phase, Turn
from firstpacket.bench.record.store import Run, read_manifest
from firstpacket.bench.report.warmth import warmth_table
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.summary.warmth import warmth
from firstpacket.bench.tables.table import text

MS = 1_000_000
CLIPS = make_utterances(8)
RULE = WarmupRule("clip-0")


def turn(number: int, phase: Phase, clip: int, ms: float | None, label: str = "a", **changes: object) -> Turn:
    figures = {} if ms is None else {"first_packet_latency": round(ms * MS), "response_latency": round(ms * MS)}
    outcome = "answered" if figures else "failed"
    said = {"turn": number, "phase": phase, "label": label, "utterance": f"clip-{clip}"}
    return make_turn(outcome=outcome, figures=figures, **{**said, **changes})


def run_of(turns: list[Turn], **changes: object) -> Run:
    what = scripted_manifest(dict.fromkeys(dict.fromkeys(turn.label for turn in turns), "hear"), CLIPS, **changes)
    return replace(make_run(turns), manifest=what, segments=())


def warming_up(last: list[float | None], label: str = "a") -> list[Turn]:
    return [turn(900, "cold", 0, 900, label), *(turn(901 + n, "warmup", 0, ms, label) for n, ms in enumerate(last))]


MEASURED = [turn(number + 1, "measured", number, 100 + 10 * number) for number in range(8)]
IDLE = [
    turn(2000 + number, "idle", number, 130 + 10 * number, flags=("not_first_after_idle",) if number % 2 else ())
    for number in range(8)
]


def test_classes_are_compared_with_warm_turns_of_the_same_clip() -> None:
    found = warmth(run_of([*warming_up([150.0] * 6), *MEASURED, *IDLE]))["a"].classes
    assert {name: each.turns for name, each in found.items()} == {
        "cold": 1, "warmup": 6, "measured": 8, "idle": 8, "idle_first": 4,
    }  # fmt: skip
    cold, idle = found["cold"], found["idle"]
    assert cold.first_packet is not None and cold.vs_warm is not None
    assert (cold.first_packet.value, cold.vs_warm.value) == (900, 800)
    assert idle.vs_warm is not None and idle.vs_warm.interval is not None
    assert idle.vs_warm.value == 30, "each 30 ms over its own clip, though clips differ by 70"
    assert idle.vs_warm.interval.low == pytest.approx(30)
    assert found["idle_first"].first_packet is not None
    assert found["idle_first"].first_packet.value == 160
    assert found["measured"].vs_warm is None


def test_only_warm_turns_enter_the_headline() -> None:
    alone = summarise(run_of(MEASURED)).labels[0].figures["first_packet_latency"]
    assert (
        summarise(run_of([*warming_up([150.0] * 6), *MEASURED, *IDLE])).labels[0].figures["first_packet_latency"]
        == alone
    )


@pytest.mark.parametrize(
    ("last", "state", "said"),
    [
        ([100.0] * 6, "steady", ""),
        (
            [100.0, 200.0] * 10,
            "limit",
            "not steady after 20 warm-up turns (first packet in the last ones: 100 to 200 ms)",
        ),
        ([100.0, 200.0] * 4, "unsteady", "its warm-up ran out of time after 8 turns"),
        ([100.0, None, None], "silent", "failed two warm-up turns in a row"),
    ],
)
def test_the_report_states_how_the_warm_up_ended(last: list[float | None], state: str, said: str) -> None:
    run = run_of([*warming_up(last), *MEASURED], warmup_rule=RULE)
    (ended,) = warm_ups(run.turns, RULE)
    assert (ended.state, ended.turns, ended.used) == (state, len(last), True)
    notices = [notice for notice in summarise(run).notices if "warm-up" in notice]
    assert [said in notice for notice in notices] == ([True] if said else [])
    unused = run_of(warming_up(last), warmup_rule=RULE)
    assert not [notice for notice in summarise(unused).notices if "warm-up" in notice]


def test_every_segment_has_its_own_warm_up() -> None:
    again = [replace(each, segment=1, turn=each.turn + 100) for each in warming_up([50.0] * 7)]
    ended = warm_ups([*warming_up([100.0] * 6), *MEASURED, *again], RULE)
    assert [(each.segment, each.turns, each.used) for each in ended] == [(0, 6, True), (1, 7, False)]
    other_clip = warm_ups([*warming_up([100.0] * 6), turn(999, "warmup", 3, 5.0)], RULE)
    assert other_clip[0].turns == 6, "the longest clip is asked once, but not looked at"


def test_slow_first_turns_give_a_notice() -> None:
    slow = [
        turn(number + 1, "measured", number % 8, 100.0 + number % 3 + (80 if number < 8 else 0)) for number in range(40)
    ]
    (said,) = [notice for notice in summarise(run_of(slow)).notices if "not warm yet" in notice]
    assert said.startswith("the first 8 measured turns of a took 80.5 ms more")
    even = [turn(n + 1, "measured", n % 8, 100.0 + n % 3) for n in range(40)]
    assert not [notice for notice in summarise(run_of(even)).notices if "not warm yet" in notice]


def test_json_report_and_terminal_tell_the_same() -> None:
    run = run_of([*warming_up([150.0] * 6), *MEASURED, *IDLE], warmup_rule=RULE, idle=30.0, idle_turns=8)
    summary = summarise(run)
    told = json.loads(json.dumps(as_json(summary.labels[0].warmth), allow_nan=False))
    assert told["classes"]["idle"]["vs_warm"]["value"] == 30
    assert told["warm_ups"][0] == {
        "label": "a", "segment": 0, "turns": 6, "state": "steady", "last_ms": [150.0] * 6, "used": True
    }  # fmt: skip
    assert (told["drift"], told["carry_over"]) == (None, None)
    table = warmth_table(summary)
    cells = [[text(cell) for cell in row.cells] for row in table.rows]
    assert [(title, asked) for _, title, asked, *_ in cells] == [
        ("cold", "1"), ("warming up", "6"), ("warm", "8"), ("after idle", "8"), ("after idle (machine idle too)", "4"),
    ]  # fmt: skip
    assert cells[3][4].startswith("+30.0 ms")
    assert "steady after 6 warm-up turns" in table.notes[0]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--warmup", "often"), "--warmup often: expected a number of turns, or auto"),
        (("--warmup", "-1"), "must be between 0 and 10000"),
        (("--idle", "0"), "must be between 0.1 and 86400"),
        (("--idle-turns", "4"), "--idle-turns needs --idle"),
    ],
)
def test_impossible_warm_up_flags_are_refused(tmp_path: Path, flags: tuple[str, str], said: str) -> None:
    done = here("run", "-p", "scripted", "--corpus", write_clips(tmp_path / "clips"), *flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_run_warms_up_and_idles_as_its_options_say(tmp_path: Path) -> None:
    out = tmp_path / "run"
    scripts = ("-p", "a=scripted,script=hear; tts 3; packet 20", "-p", "b=scripted,script=hear; tts 5; packet 20")
    corpus = ("--corpus", write_clips(tmp_path / "clips"), "--turns", "4", "--out", out, "--no-keep-audio")
    done = here("run", *scripts, *corpus, "--idle", "0.2", "--idle-turns", "2")
    assert done.returncode == 0, done.stderr
    what = read_manifest(out)
    assert what.warmup_rule is not None
    assert (what.warmup, what.options.idle, what.options.idle_turns) == (what.warmup_rule.most, 0.2, 2)
    told = json.loads(here("show", out, "--json").stdout)["labels"]["a"]
    assert told["outcomes"]["idle"]["answered"] == 2
    assert told["figures"]["first_packet_latency"]["n"] == 4
    assert told["warmth"]["warm_ups"][0]["turns"] >= what.warmup_rule.window
    html = (out / "report.html").read_text("utf-8")
    assert "Cold, warm and idle turns" in html
    assert "after a warm-up on" in html
