"""OTLP's JSON is read back with OpenTelemetry's own messages, which refuse what they do not know."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import here
from support.traces import traces, turn_of
from support.virtual import virtual_run

from firstpacket.bench.analysis.turn_trace import OneTurn, one_turn
from firstpacket.bench.errors import RunError, UnknownName, UsageError
from firstpacket.bench.export.otlp import otlp
from firstpacket.bench.export.traces import trace_lines, write_traces
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.timing.spans import GpuSpan, HandOff, StageSpan, TurnTrace, Usage

STREAMED = (
    "hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send | take; tts 10; packet 40; take"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    scripts = {"a": STREAMED, "b": "hear; asr 3; raise"}
    return read_run(virtual_run(tmp_path_factory.mktemp("runs") / "run", scripts))


def first(run: Run, label: str = "a") -> OneTurn:
    return one_turn(run, next(turn.turn for turn in run.turns if turn.label == label))


def plain(attributes: Iterable[Any]) -> dict[str, Any]:
    values = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        values[each.key] = [inner.string_value for inner in value.values] if kind == "array_value" else value
    return values


def parsed(text: str) -> Any:
    """The spans, as OpenTelemetry's messages. Only in ids does OTLP's JSON differ from Protobuf's: hex, not base64."""
    json_format = pytest.importorskip("google.protobuf.json_format")
    trace_pb2 = pytest.importorskip("opentelemetry.proto.trace.v1.trace_pb2")

    def as_protobuf(value: Any, name: str = "") -> Any:
        if name in ("traceId", "spanId", "parentSpanId"):
            assert len(value) == (32 if name == "traceId" else 16)
            return base64.b64encode(bytes.fromhex(value)).decode()
        if isinstance(value, dict):
            return {key: as_protobuf(inner, key) for key, inner in value.items()}
        return [as_protobuf(inner) for inner in value] if isinstance(value, list) else value

    text.encode("ascii")
    found = json_format.ParseDict(as_protobuf(json.loads(text)), trace_pb2.TracesData(), ignore_unknown_fields=False)
    (resource,) = found.resource_spans
    (scope,) = resource.scope_spans
    assert plain(resource.resource.attributes)["service.name"] == "firstpacket"
    return list(scope.spans)


def spans_of(one: OneTurn) -> Any:
    return parsed(json.dumps(otlp(one), allow_nan=False))


@given(trace=traces(), t0_ns=st.integers(0, 40))
def test_any_trace_is_written_whole_and_understood(run: Run, trace: TurnTrace, t0_ns: int) -> None:
    one = turn_of(run, trace, t0_ns)
    root, *others = spans_of(one)
    assert root.parent_span_id == b""
    assert all(span.parent_span_id == root.span_id and span.trace_id == root.trace_id for span in others)
    ids = [span.span_id for span in (root, *others)]
    assert len(set(ids)) == len(ids)
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano for span in others)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano for span in others)
    assert all(link.span_id in ids and link.trace_id == root.trace_id for span in others for link in span.links)
    written = Counter((span.name, span.start_time_unix_nano, span.end_time_unix_nano) for span in others)
    wall = one.wall_ns
    expected = Counter((span.stage, wall(span.start_ns), wall(span.end_ns)) for span in trace.spans)
    expected += Counter(
        (f"{span.stage} (GPU)", wall(span.gpu.start_ns), wall(span.gpu.end_ns))
        for span in trace.spans
        if span.gpu is not None
    )
    thinking = [span for span in trace.spans if span.stage == "llm.prefill"]
    if thinking:
        start_ns, end_ns = min(span.start_ns for span in thinking), max(span.end_ns for span in thinking)
        expected["chat", wall(start_ns), wall(end_ns)] += 1
    assert written == expected


def test_a_turn_says_what_it_was(run: Run) -> None:
    one = first(run)
    root, *others = spans_of(one)
    said = plain(root.attributes)
    assert root.name == "invoke_agent a"
    assert said["gen_ai.operation.name"] == "invoke_agent"
    assert said["gen_ai.output.type"] == "speech"
    assert said["firstpacket.figure.first_packet_latency"] == one.turn.figures["first_packet_latency"] == 100_000_000
    parts = {name: ns for name, ns in said.items() if name.startswith("firstpacket.path.")}
    assert sum(parts.values()) == 100_000_000
    assert parts["firstpacket.path.llm.decode.host"] == 30_000_000
    t0 = next(event for event in root.events if event.name == "firstpacket.t0")
    packet = next(event for event in root.events if event.name == "firstpacket.packet")
    assert packet.time_unix_nano - t0.time_unix_nano == 100_000_000
    assert root.status.code == 0
    assert not any(text.text in json.dumps(otlp(one)) for text in one.trace.texts), "what was said stays here"
    assert {span.name for span in others} == {"chat", "asr", "llm.prefill", "llm.decode", "tts"}


def test_times_are_put_on_the_wall_clock(run: Run) -> None:
    one = first(run)
    later = replace(one, segment=replace(one.segment, wall_ns=1_800_000_000_000_000_000, monotonic_ns=one.t0_ns))
    t0 = next(event for event in spans_of(later)[0].events if event.name == "firstpacket.t0")
    assert t0.time_unix_nano == 1_800_000_000_000_000_000


def test_links_lead_to_what_let_the_item_go(run: Run) -> None:
    gpu = GpuSpan(3, 2, 9, 50)
    spans = (
        StageSpan("asr", 1, 0, 5),
        StageSpan("llm.prefill", 2, 0, 5, released_by=0),
        StageSpan("tts", 2, 6, 8, after=0, gpu=gpu),
    )
    _, chat, asr, waited, tts, device = spans_of(turn_of(run, TurnTrace(spans, (HandOff(0, "asr", 1, 4),))))
    for span, reason in ((waited, "released_by"), (tts, "after")):
        (link,) = span.links
        assert link.span_id == asr.span_id
        assert plain(link.attributes) == {"firstpacket.link": reason}
    (link,) = device.links
    assert link.span_id == tts.span_id
    assert plain(device.attributes)["firstpacket.gpu.error_ns"] == 50
    assert not chat.links and not asr.links


def test_the_language_models_call_has_the_conventions_names(run: Run) -> None:
    one = first(run)
    options = {**one.plan.options, "llm-model": "some-model", "llm-temperature": 0.5}
    one = replace(
        one,
        plan=replace(one.plan, options=options, engines={"llm": "openai"}),
        turn=replace(one.turn, figures={**one.turn.figures, "llm_ttfb": 7_000_000}),
        evidence=replace(one.evidence, trace=replace(one.trace, usage=Usage(12, 34))),
    )
    chat = spans_of(one)[1]
    assert (chat.name, chat.kind) == ("chat some-model", 3)
    assert plain(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "some-model",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 34,
        "gen_ai.server.time_to_first_token": 0.02,
        "gen_ai.response.time_to_first_chunk": 0.007,
    }


def test_a_model_without_a_name_is_named_by_its_weights(run: Run) -> None:
    one = first(run)
    loaded = LabelFacts("a", 0, 1, (Weights("asr", "bundled", "ears"), Weights("llm", "dummy", "seed 0, size tiny")))
    chat = spans_of(replace(one, segment=replace(one.segment, labels=(loaded,))))[1]
    assert plain(chat.attributes)["gen_ai.request.model"] == "dummy: seed 0, size tiny"
    assert chat.kind == 1


def test_names_are_those_of_opentelemetrys_own_list(run: Run) -> None:
    attributes = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    metrics = pytest.importorskip("opentelemetry.semconv._incubating.metrics.gen_ai_metrics")
    known = {value for module in (attributes, metrics) for value in vars(module).values() if isinstance(value, str)}
    used = {name for span in spans_of(first(run)) for name in plain(span.attributes) if name.startswith("gen_ai.")}
    assert used
    assert used <= known


def test_a_failed_turn_is_an_error(run: Run) -> None:
    root, *_ = spans_of(first(run, "b"))
    assert root.status.code == 2
    assert "raised by the script" in root.status.message
    assert plain(root.attributes)["error.type"] == "failed"


def test_the_same_turn_is_the_same_trace_and_another_is_another(run: Run, tmp_path: Path) -> None:
    assert otlp(first(run)) == otlp(first(run))
    write_traces(run, "all", "otel", tmp_path / "run.jsonl")
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert len(lines) == len(run.turns)
    assert len({parsed(line)[0].trace_id for line in lines}) == len(lines)
    other = replace(run, manifest=replace(run.manifest, run="another"))
    assert spans_of(first(other))[0].trace_id != spans_of(first(run))[0].trace_id


def test_a_clock_anchor_that_makes_no_sense_is_refused(run: Run) -> None:
    one = first(run)
    for wall_ns in (-(2**62), 2**63 - 1):
        with pytest.raises(RunError, match="clock anchor"):
            otlp(replace(one, segment=replace(one.segment, wall_ns=wall_ns)))


def test_traces_that_cannot_be_written_are_errors(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no turn 999: it has turns 1 to"):
        list(trace_lines(run, "999", "perfetto"))
    with pytest.raises(UsageError, match="one turn"):
        list(trace_lines(run, "all", "perfetto"))
    with pytest.raises(UsageError, match="takes a number"):
        list(trace_lines(run, "-1", "otel"))
    with pytest.raises(UnknownName, match="Did you mean 'perfetto'"):
        list(trace_lines(run, "1", "perfeto"))
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="Choose another file"):
        write_traces(run, "1", "otel", tmp_path / "file" / "out.json")
    with pytest.raises(RunError, match=r"segment 0.*is missing"):
        list(trace_lines(replace(run, segments=()), "1", "otel"))


def test_the_command_writes_a_file_or_prints(run: Run, tmp_path: Path) -> None:
    number = str(first(run).turn.turn)
    printed = here("trace", run.path, "--turn", number)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["otherData"]["turn"] == int(number)
    done = here("trace", run.path, "--turn", number, "--format", "otel", "-o", tmp_path / "turn.json")
    assert done.returncode == 0, done.stderr
    assert parsed((tmp_path / "turn.json").read_text())[0].name == "invoke_agent a"
    assert here("trace", run.path, "--turn", "999").returncode == 2
