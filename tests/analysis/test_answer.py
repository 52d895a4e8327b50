"""The first screen names every engine, and the language model with its size and origin, whatever stages are called."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from support.runs import make_facts, make_run, make_segment, make_system

from firstpacket.bench.analysis.answer import answer
from firstpacket.bench.export.markdown import markdown
from firstpacket.bench.pipeline import Stage, Weights
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.markdown import render_markdown
from firstpacket.bench.report.printed import print_run
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.vocabulary import StageKind

CASCADE = (
    Stage("stt", "listen", "asr"), Stage("brain.read", "think", "llm"), Stage("brain.write", "think", "llm"),
    Stage("voice", "speak", "tts"),
)  # fmt: skip
DIRECT = (Stage("encoder", "listen"), Stage("llm.prefill", "think", "llm"), Stage("vocoder", "speak"))
ENGINES: dict[StageKind, str] = {"asr": "pocketsphinx", "llm": "transformers", "tts": "espeak"}
DEMO = Weights("llm", "demo", "sha256 0123", "Llama", 3_190_000)


def run_with(*weights: Weights):
    run = make_run(
        {"cascade": [100.0] * 8, "direct": [50.0] * 8},
        labels=(
            make_system("cascade", stages=CASCADE, engines=ENGINES), make_system("direct", stages=DIRECT, engines={})
        ),
    )  # fmt: skip
    ears = Weights("asr", "bundled", "ears en")
    facts = tuple(make_facts(label, weights=(ears, *weights)) for label in ("cascade", "direct"))
    return replace(run, segments=(make_segment(0, facts),))


@pytest.mark.parametrize(
    ("weights", "llm"),
    [
        (DEMO, "(Llama, 3.2 M, demo)"),
        (replace(DEMO, origin="dummy", parameters=8_030_261_248), "(Llama, 8.0 B, dummy)"),
        (Weights("llm", "published", "org/model@1", "Llama", 1_235_800_000), "(org/model@1, 1.2 B, published)"),
        (Weights("llm", "published", "org/model@1"), "(org/model@1, published)"),
        (Weights("llm", "none", "tiny, served by http://here"), "(tiny, served by http://here)"),
    ],
)
def test_engines_and_the_language_model_are_named(weights: Weights, llm: str) -> None:
    run = run_with(weights)
    assert answer(run, summarise(run), (), ()).made_of == (
        f"cascade: asr pocketsphinx → llm transformers {llm} → tts espeak",
        f"direct: encoder → llm {llm} → vocoder",
    )


def test_an_unknown_model_is_left_out() -> None:
    run = run_with()
    assert answer(run, summarise(run), (), ()).made_of[1] == "direct: encoder → llm → vocoder"


def test_every_format_shows_engines_and_model() -> None:
    run = run_with(DEMO)
    said = "direct: encoder → llm (Llama, 3.2 M, demo) → vocoder"
    for form in (render_report([run]), render_markdown([run]), markdown(run)):
        assert said in form.replace("\\", "")


def test_the_terminal_shows_the_headline_and_what_answers() -> None:
    run = run_with(DEMO)
    console = Console(record=True, width=200, file=StringIO())
    print_run(console, run, summarise(run))
    shown = " ".join(console.export_text().split())
    assert "direct sends its first packet 50.0 ms sooner than cascade and its first audible sample " in shown
    assert "cascade: asr pocketsphinx → llm transformers (Llama, 3.2 M, demo) → tts espeak" in shown


def test_stages_that_did_not_run_are_left_out() -> None:
    stages = (*DIRECT, Stage("unused", "speak"))
    run = make_run({"direct": [{"encoder": 30.0, "vocoder": 20.0}] * 8}, system={"stages": stages, "engines": {}})
    assert answer(run, summarise(run), (), ()).made_of == ("direct: encoder → vocoder",)


def test_only_starts_that_measured_count_as_segments() -> None:
    run = replace(run_with(DEMO), segments=(make_segment(0, ()), make_segment(1, ())))
    assert "resumed" not in " ".join(answer(run, summarise(run), (), ()).notices)
    later = replace(run, turns=(replace(run.turns[0], segment=1), *run.turns[1:]))
    assert "it has 2 segments" in " ".join(answer(later, summarise(later), (), ()).notices)
