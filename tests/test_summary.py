"""One small run, its figures worked out by hand (see `TURNS`), and its summary."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from support.runs import MS, make_facts, make_run, make_segment, make_system, make_turn
from support.stages import stage

from firstpacket.bench.contract import written
from firstpacket.bench.errors import RunError
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import PathPart, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.printed import print_run
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.summary.summarise import summarise

LABELS = ("cascade", "direct")


def turn(number, clip, phase, outcome, first_ms=None, asr_ms=0, heard_ms=None, flags=(), label="cascade") -> Turn:
    """The path is `asr_ms` of asr on the host and the rest of tts on the GPU."""
    figures = {"first_packet_latency": first_ms, "response_latency": heard_ms}
    path = (("tts", "gpu", (first_ms or 0) - asr_ms), ("asr", "host", asr_ms)) if first_ms else ()
    return make_turn(
        turn=number,
        block=number,
        phase=phase,
        label=label,
        utterance=clip,
        outcome=outcome,
        figures={name: ms * MS for name, ms in figures.items() if ms is not None},
        path=tuple(PathPart(stage, kind, ms * MS) for stage, kind, ms in path),
        hidden={"asr": 6 * MS} if first_ms == 100 else {},
        flags=flags,
    )


TURNS = (
    turn(0, "a", "cold", "answered", 900, 300, 900),
    turn(1, "a", "warmup", "answered", 500, 100, 500),
    turn(2, "a", "measured", "answered", 100, 40, 110),
    turn(3, "b", "measured", "answered", 200, 50, 230, flags=("truncated",)),
    turn(4, "c", "measured", "silent", 600, 60, None),
    turn(5, "d", "measured", "timeout"),
    turn(6, "d", "measured", "failed"),
    turn(7, "a", "measured", "interrupted", label="direct"),
)


def small_run(turns=TURNS) -> Run:
    weights = Weights("llm", "dummy", "seed 1")
    run = make_run(
        turns,
        run="small",
        labels=tuple(make_system(label, stages=(stage("asr", "listen"), stage("tts", "speak"))) for label in LABELS),
        turns=6,
        seed=3,
        corpus="clips",
        corpus_sha256="ab" * 32,
        notices=("a notice",),
    )
    segments = tuple(
        make_segment(at, (make_facts("cascade", load_ns=load * MS, weights=(weights,)),), metrics={})
        for at, load in ((0, 1500), (1, 1600))
    )
    return replace(run, segments=segments, notices=("a torn line",))


@pytest.fixture
def summary() -> Summary:
    return summarise(small_run())


def test_figures_are_those_of_the_measured_turns_that_have_them(summary: Summary) -> None:
    first = summary.labels[0].figures["first_packet_latency"]
    assert (first.n, first.n_missing, first.missing) == (2, 3, {"failed": 1, "silent": 1, "timeout": 1})
    assert (first.mean, first.unit) == (150, "ms")
    assert first.p50 is not None
    assert (first.p50.value, first.p50.clusters, first.p50.interval) == (150, 2, None)
    heard = summary.labels[0].figures["response_latency"]
    assert (heard.n, heard.mean, heard.missing) == (2, 170, {"failed": 1, "silent": 1, "timeout": 1})


def test_every_turn_is_counted_in_its_phase(summary: Summary) -> None:
    outcomes = summary.labels[0].outcomes
    assert sum(sum(counts.values()) for counts in outcomes.values()) == 7
    counts = {outcome: n for outcome, n in outcomes["measured"].items() if n}
    assert counts == {"answered": 2, "silent": 1, "failed": 1, "timeout": 1}
    assert outcomes["cold"]["answered"] == outcomes["warmup"]["answered"] == 1
    assert summary.labels[0].audible_share == 0.4
    assert summary.labels[0].flags == {"truncated": 1}


def test_the_path_adds_up_to_the_mean_first_packet(summary: Summary) -> None:
    path = summary.labels[0].path
    assert [(part.stage, part.role, part.kind, part.mean.value) for part in path.parts] == [
        ("asr", "listen", "host", 45.0),
        ("tts", "speak", "gpu", 105.0),
    ]
    assert path.n == 2
    assert sum(part.mean.value for part in path.parts) == path.total_ms == 150
    assert {role: mean.value for role, mean in path.roles.items()} == {"listen": 45.0, "speak": 105.0}
    assert {stage: mean.value for stage, mean in summary.labels[0].hidden.items()} == {"asr": 3.0}


def test_means_of_the_path_have_intervals_over_clips() -> None:
    turns = [
        turn(number, f"clip {number}", "measured", "answered", 100 + number, 40, 60 + number) for number in range(8)
    ]
    path = summarise(small_run(tuple(turns))).labels[0].path
    listen, speak = path.roles["listen"].interval, path.roles["speak"].interval
    assert listen is not None and speak is not None
    assert (listen.low, listen.high) == (40, 40)  # the same in every turn
    assert 60 < speak.low < path.roles["speak"].value == 63.5 < speak.high < 67


def test_the_cold_start_is_reported_separately(summary: Summary) -> None:
    cold = summary.labels[0].cold
    assert (cold.load_ms, cold.first_turn_ms) == ((1500, 1600), (900,))


def test_continuity_is_the_share_of_replies_that_could_have_stalled() -> None:
    def reply(number: int, deficit_ms: int | None) -> Turn:
        said = turn(number, "a", "measured", "answered", 100, 40, 110)
        return replace(said, figures=said.figures | ({} if deficit_ms is None else {"underrun_max": deficit_ms * MS}))

    run = small_run((reply(0, 0), reply(1, 100), reply(2, 101), reply(3, 300), reply(4, None)))
    cascade, direct = summarise(run).labels
    assert cascade.continuity == {"C50": 0.25, "C100": 0.5, "C200": 0.75}
    assert direct.continuity == {"C50": None, "C100": None, "C200": None}, "not perfect: nothing was measured"


def test_a_label_without_any_answer_is_listed_with_its_outcome(summary: Summary) -> None:
    direct = summary.labels[1]
    figure = direct.figures["first_packet_latency"]
    assert (figure.n, figure.p50, figure.mean, figure.missing) == (0, None, None, {"interrupted": 1})
    assert (direct.path.n, direct.path.total_ms, direct.audible_share) == (0, 0, 0)


def test_json_keeps_its_contract(summary: Summary) -> None:
    told = json.loads(written("summary", summary))
    assert (told["schema"], told["kind"], told["time_unit"], told["run"]) == (2, "firstpacket.summary", "ms", "small")
    assert told["notices"] == ["a notice", "a torn line"]
    assert (told["valid"], told["invalid"], told["stopping"]) == (True, [], None)
    cascade = told["labels"]["cascade"]
    none = {"value": None, "n": 2}
    assert cascade["figures"]["first_packet_latency"] == {
        "metric": "first_packet_latency", "title": "first packet", "unit": "ms", "version": 1, "n": 2, "n_missing": 3,
        "missing": {"failed": 1, "silent": 1, "timeout": 1}, "mean": 150.0,
        "p50": {"value": 150.0, "n": 2, "clusters": 2, "interval": None},
        "percentiles": {
            "p90": none | {"q": 0.90, "needs": 64}, "p95": none | {"q": 0.95, "needs": 130},
            "p99": none | {"q": 0.99, "needs": 662},
        },
        "counting_all": {
            "p50": {"value": None, "n": 5, "q": 0.5, "needs": 11},
            "p90": {"value": None, "n": 5, "q": 0.9, "needs": 64},
            "p95": {"value": None, "n": 5, "q": 0.95, "needs": 130},
            "p99": {"value": None, "n": 5, "q": 0.99, "needs": 662},
        },
    }  # fmt: skip
    mean = {"n": 2, "clusters": 2, "interval": None}
    assert cascade["path"]["parts"][0] == {
        "stage": "asr", "role": "listen", "kind": "host", "mean": mean | {"value": 45.0}
    }  # fmt: skip
    assert cascade["path"]["roles"]["speak"] == mean | {"value": 105.0}
    assert cascade["cold"] == {"load_ms": [1500.0, 1600.0], "first_turn_ms": [900.0]}
    assert cascade["weights"] == [
        {"part": "llm", "origin": "dummy", "source": "seed 1", "detail": "", "parameters": None}
    ]
    assert cascade["outcomes"]["measured"]["timeout"] == 1


def test_a_percentile_appears_once_enough_turns_support_it() -> None:
    turns = tuple(turn(at, f"clip-{at % 8}", "measured", "answered", at + 1, 1, at + 1) for at in range(64))
    first = summarise(small_run(turns)).labels[0].figures["first_packet_latency"]
    assert first.percentiles["p90"].value == pytest.approx(57.7)
    assert first.percentiles["p95"].value is None
    assert first.p50 is not None
    assert (first.p50.n, first.p50.clusters) == (64, 8)
    assert first.p50.interval is not None
    assert first.p50.interval.contains(32.5)


def test_an_undefined_figure_is_an_error() -> None:
    strange = replace(TURNS[2], figures={"made_up": 1})
    with pytest.raises(RunError, match="made_up"):
        summarise(small_run((strange,)))


def printed(run: Run) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_run(console, run, summarise(run))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_leaves_out_unsupported_percentiles() -> None:
    told = printed(small_run())
    assert "150 ms" in told
    assert "2 clips < 6" in told
    assert "1 silent, 1 failed, 1 timeout" in told
    assert "p95" not in told
    many = tuple(turn(at, f"clip-{at % 8}", "measured", "answered", at + 1, 1, at + 1) for at in range(130))
    assert "p95" in printed(small_run(many)) and "124 ms" in printed(small_run(many))


def test_answers_before_the_end_of_speech_are_pointed_out() -> None:
    """Its latency is small, or below zero: as a figure alone it would be praised."""
    early = turn(0, "a", "measured", "answered", -1200, 1, -1190, flags=("false_endpoint",))
    told = printed(small_run((early, turn(1, "b", "measured", "answered", 100, 1, 110))))
    assert "cascade detected the end of the user's turn too early in 1 of 2 measured turns" in told
    assert "too early" not in printed(small_run())


def test_labels_are_text_in_the_table() -> None:
    run = small_run(tuple(replace(each, label="[bold]x[/nope]") for each in TURNS if each.label == "cascade"))
    (system, _) = run.manifest.labels
    manifest = replace(run.manifest, labels=(replace(system, label="[bold]x[/nope]"),))
    assert "[bold]x[/nope]" in printed(replace(run, manifest=manifest))
