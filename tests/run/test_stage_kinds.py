"""A pipeline of another package with other stage names has every figure of the kinds that it declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import make_segment
from support.virtual import NoProgress, make_utterance, scripted_manifest

from firstpacket.bench import registry
from firstpacket.bench.analysis.turn_trace import one_turn
from firstpacket.bench.errors import UsageError
from firstpacket.bench.export.otlp import otlp
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import Declaration, Option, Packet, Pipeline, Speech, Stage
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.resolve import resolve_one
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import Flag, KnownMark

MS = 1_000_000


class Foreign(Pipeline):
    """Recognises in 30 ms, thinks for 50 with the first token after 20, turns to sound in 10."""

    declaration = Declaration(
        "foreign",
        "Named by other people.",
        "cascade",
        (Stage("vad", "wait", "endpoint"), Stage("stt", "listen", "asr"), Stage("brain", "think", "llm"),
         Stage("voice", "speak", "tts")),
        options=(Option("mind", "small", "which model thinks", chooses="llm"),),
    )  # fmt: skip

    def load(self) -> None:
        """Nothing to load."""

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        def work(ms: int) -> None:
            trace.clock.sleep_until_ns(trace.clock.now_ns() + ms * MS)

        with trace.stage("vad"):
            speech.whole()
            work(7)
        trace.mark(KnownMark.ENDPOINT)
        with trace.stage("stt"):
            work(30)
        with trace.stage("brain") as span:
            work(5)
            trace.mark(KnownMark.LLM_FIRST_BYTE)
            work(15)
            span.first_output()
            work(30)
        trace.usage(12, 34, 9)
        with trace.stage("voice"):
            work(10)
        yield Packet(np.full(1600, 0.5, np.float32), 16_000, after=trace.hand_off("voice"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return measured(tmp_path, monkeypatch)


def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: type[Pipeline] | None = None) -> Run:
    monkeypatch.setattr(registry, "pipeline", lambda name: Foreign)
    clips = (make_utterance(),)
    system = resolve_one(PipelineChoice("theirs", "foreign", {}), Options(device="cpu")).system
    asked = replace(scripted_manifest({}, clips), labels=(system,))
    clock = VirtualClock()
    with RunWriter.create(tmp_path / "run", asked) as writer:
        executor = InProcessExecutor(system, clock, pipeline or Foreign)
        Manager(asked, writer, {"theirs": executor}, clips, NoProgress(), clock=clock).run((), make_segment)
    return read_run(tmp_path / "run")


def test_its_stages_have_the_figures_of_their_kinds(run: Run) -> None:
    figures = run.turns[-1].figures
    expected = {
        "first_packet_latency": 97,
        "endpointing_delay": 7,
        "request_delay": 7,
        "asr_final_latency": 37,
        "llm_ttft": 20,
        "llm_ttfb": 5,
        "llm_first_token_latency": 57,
    }
    assert figures["llm_prompt_cached"] == 9 / 12
    assert {name: figures.get(name) for name in expected} == {name: ms * MS for name, ms in expected.items()}


@pytest.mark.parametrize(("reply", "tokens"), [("It is ten.", True), (" \n", False), ("", False)])
def test_a_reply_without_text_has_no_time_of_its_first_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: str, tokens: bool
) -> None:
    class Speaker(Foreign):
        def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
            trace.mark(KnownMark.LLM_THOUGHTS_UNCLEAR)
            trace.mark(KnownMark.READ_LATE)
            trace.text("reply", reply)
            return super().respond(speech, trace)

    turn = measured(tmp_path, monkeypatch, Speaker).turns[-1]
    assert {"llm_ttft", "llm_first_token_latency"} & turn.figures.keys() == (
        {"llm_ttft", "llm_first_token_latency"} if tokens else set()
    )
    assert turn.figures["llm_ttfb"] == 5 * MS
    assert {Flag.THOUGHTS_UNCLEAR, Flag.READ_LATE} <= {*turn.flags}


def test_the_evidence_is_enough_to_derive_them_again(run: Run) -> None:
    found = recompute(run)
    assert found.equal and found.turns_equal == len(run.turns) > 0


def test_its_language_model_is_one_call_with_its_engine_and_tokens(run: Run) -> None:
    (spans,) = (scope["spans"] for each in otlp(one_turn(run, run.turns[-1].turn))["resourceSpans"]
                for scope in each["scopeSpans"])  # fmt: skip
    (chat,) = [span for span in spans if span["name"].startswith("chat")]
    assert int(chat["endTimeUnixNano"]) - int(chat["startTimeUnixNano"]) == 50 * MS
    said = {each["key"]: each["value"] for each in chat["attributes"]}
    assert said["gen_ai.provider.name"] == {"stringValue": "small"}
    assert said["gen_ai.usage.input_tokens"] == {"intValue": "12"}
    assert said["gen_ai.usage.output_tokens"] == {"intValue": "34"}


def test_stages_without_a_kind_have_only_the_common_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = tuple(replace(stage, kind="other") for stage in Foreign.declaration.stages)
    monkeypatch.setattr(Foreign, "declaration", replace(Foreign.declaration, stages=stages))
    figures = measured(tmp_path, monkeypatch).turns[-1].figures
    assert figures["stage.stt.host"] == 30 * MS
    assert not {"asr_final_latency", "llm_ttft", "llm_ttfb", "llm_first_token_latency"} & figures.keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"kind": "assistant"},
            r"declaration\.kind: expected one of cascade, direct, remote, other, found text 'assistant'",
        ),
        (
            {"stages": (Stage("stt", "listen", "stt"),)},
            r"declaration\.stages\[0\]\.kind: expected one of endpoint, .*'stt'",
        ),  # type: ignore[arg-type]
        ({"stages": (Stage("stt", "hear"),)}, r"stages\[0\]\.role: expected one of wait, listen, .*'hear'"),  # type: ignore[arg-type]
        ({"stages": (Stage("a", "listen"), Stage("a", "think"))}, "stages: 'a' is there more than once"),
        ({"stages": ("stt",)}, r"declaration\.stages\[0\]: expected an object, found text 'stt'"),
        ({"requires": ("torch",)}, r"declaration\.requires\[0\]: expected an object, found text 'torch'"),
        ({"gpu": "yes"}, r"declaration\.gpu: expected one of none, optional, required"),
        ({"options": (Option("n", np.int64(3), "h"),)}, r"declaration\.options\[0\]\.default: .*int64"),
        ({"options": (Option("x", "a", "h", choices=("b",)),)}, "the default of 'x' is none of its choices"),
    ],
)
def test_an_unrecordable_declaration_is_refused_before_the_run(
    changes: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = type("Broken", (Foreign,), {"declaration": replace(Foreign.declaration, **changes)})  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "pipeline", lambda name: broken)
    with pytest.raises(UsageError, match=said):
        resolve_one(PipelineChoice("theirs", "foreign", {}), Options(device="cpu"))


def test_the_kinds_are_on_disk(run: Run) -> None:
    stored = json.loads((run.path / "manifest.json").read_text())["labels"][0]
    assert stored["engines"] == {"llm": "small"} and stored["kind"] == "cascade"
    assert [stage["kind"] for stage in stored["stages"]] == ["endpoint", "asr", "llm", "tts"]
