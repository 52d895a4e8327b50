"""One turn as OpenTelemetry spans: one line of OTLP JSON, as its file exporter writes and collectors read.

    invoke_agent LABEL       the turn; attributes: its figures and critical path; events: t0, packets, marks, texts
    ├── chat MODEL           the language model's call, if one of its stages ran: from the first to the last of them
    ├── STAGE                one span per interval of a stage's work on the host
    └── STAGE (GPU)          its part on the device, linked to the interval that launched it

Names follow OpenTelemetry's conventions for generative AI where they exist (`gen_ai.`, still in development); all
others begin with `firstpacket.`. A link leads from a span to the one that handed over the item it began with, or that
ended its wait. Texts are not exported, only their kind and length.

Ids are derived from the run and the turn, so a turn that is exported twice is one trace. The segment's clock anchor
converts timestamps to wall-clock time; within a turn, spans keep their measured distances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from firstpacket import __version__
from firstpacket.bench.analysis.turn_trace import OneTurn, timed_texts
from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.t0 import all_starts
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.spans import StageSpan

Json = dict[str, Any]

INTERNAL, CLIENT = 1, 3
"""Kinds of spans: internal, or a request to a server."""
ERROR = 2
"""Status of a failed turn; others have none."""
LATEST_NS = 2**63
NS_PER_S = 1_000_000_000


def otlp(one: OneTurn) -> Json:
    """The turn as one `TracesData` object. Raises `RunError` if its times exceed what OTLP can express."""
    if one.wall_ns(one.begins_ns) < 0 or one.wall_ns(one.ends_ns) >= LATEST_NS:
        raise RunError(
            f"{one.run.path}: the clock anchor of segment {one.turn.segment} is inconsistent. The run is damaged."
        )
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(_resource(one))},
                "scopeSpans": [
                    {"scope": {"name": "firstpacket", "version": __version__}, "spans": _Spans(one).spans()}
                ],
            }
        ]
    }


class _Spans:
    """The spans of one turn; a stage's span id is its index in the trace."""

    def __init__(self, one: OneTurn) -> None:
        self._one = one
        manifest = one.run.manifest
        self._seed = "\n".join((manifest.run, manifest.created, manifest.corpus_sha256, str(one.turn.turn)))
        self._trace_id = self._id("trace", 16)
        self._root_id = self._id("turn")
        self._places = {id(span): place for place, span in enumerate(one.trace.spans)}
        self._hand_offs = {hand_off.id: hand_off for hand_off in one.trace.hand_offs}

    def spans(self) -> list[Json]:
        """The turn's span first, then the language model's call, stages, and what ran on the device."""
        trace = self._one.trace
        stages = [self._stage(span) for span in trace.spans]
        return [self._turn(), *self._chat(), *stages, *(self._gpu(span) for span in trace.spans if span.gpu)]

    def _turn(self) -> Json:
        one = self._one
        root = self._span(self._root_id, f"invoke_agent {one.turn.label}", one.begins_ns, one.ends_ns, _turn_facts(one))
        del root["parentSpanId"]
        root["events"] = self._events()
        if one.turn.outcome in ("failed", "timeout", "interrupted"):
            root["status"] = {"code": ERROR, "message": clean(one.turn.reason)}
        return root

    def _events(self) -> list[Json]:
        trace = self._one.trace
        moments: list[tuple[str, int, Json]] = [("t0", self._one.t0_ns, {})]
        moments += [(f"start.{start}", at_ns, {}) for start, at_ns in all_starts(self._one.evidence).items()]
        moments += [(clean(mark.name), mark.at_ns, {}) for mark in trace.marks]
        moments += [
            ("text", text.at_ns, {"firstpacket.text.kind": text.kind, "firstpacket.text.characters": len(text.text)})
            for text in timed_texts(trace)
        ]
        for packet in trace.packets:
            size = {"firstpacket.packet.samples": packet.samples, "firstpacket.packet.sample_rate": packet.sample_rate}
            moments.append(("packet", packet.at_ns, size))
        events = (self._event(f"firstpacket.{name}", at_ns, facts) for name, at_ns, facts in moments)
        return sorted(events, key=lambda event: int(event["timeUnixNano"]))

    def _chat(self) -> list[Json]:
        """The call of the language model as one span: its stages alone would count as many calls."""
        thinking = self._one.evidence.spans_of("llm")
        if not thinking:
            return []
        model = _model(self._one)
        facts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _provider(self._one),
            "gen_ai.request.model": model or None,
            "gen_ai.request.max_tokens": _option(self._one, "llm-max-tokens", int),
            "gen_ai.request.temperature": _option(self._one, "llm-temperature", float),
            "gen_ai.request.top_p": _option(self._one, "llm-top-p", float),
            **_usage(self._one),
            "gen_ai.server.time_to_first_token": _seconds(self._one.turn, "llm_ttft"),
            "gen_ai.response.time_to_first_chunk": _seconds(self._one.turn, "llm_ttfb"),
        }
        start_ns, end_ns = min(span.start_ns for span in thinking), max(span.end_ns for span in thinking)
        kind = CLIENT if "llm_ttfb" in self._one.turn.figures else INTERNAL
        return [self._span(self._id("chat"), f"chat {model}".strip(), start_ns, end_ns, facts, kind)]

    def _stage(self, span: StageSpan) -> Json:
        facts = {"firstpacket.stage": span.stage, "firstpacket.role": self._role(span), "thread.id": span.thread}
        made = self._span(self._stage_id(span), span.stage, span.start_ns, span.end_ns, facts)
        made["links"] = [
            link
            for reason, item in (("after", span.after), ("released_by", span.released_by))
            for link in self._links(reason, item)
        ]
        if span.first_output_ns is not None:
            made["events"] = [self._event("firstpacket.first_output", span.first_output_ns)]
        return made

    def _gpu(self, span: StageSpan) -> Json:
        assert span.gpu is not None
        facts = {
            "firstpacket.stage": span.stage,
            "firstpacket.gpu.stream": span.gpu.stream,
            "firstpacket.gpu.error_ns": span.gpu.error_ns,
        }
        ran = self._span(
            self._id(f"gpu {self._place(span)}"), f"{span.stage} (GPU)", span.gpu.start_ns, span.gpu.end_ns, facts
        )
        ran["links"] = [self._link(self._stage_id(span), "launched_by")]
        return ran

    def _links(self, reason: str, item: int | None) -> list[Json]:
        """The link to the span that handed an item over, if it is known."""
        hand_off = self._hand_offs.get(item) if item is not None else None
        source = self._one.let_go_in(hand_off) if hand_off is not None else None
        return [self._link(self._stage_id(source), reason)] if source is not None else []

    def _link(self, span_id: str, reason: str) -> Json:
        return {
            "traceId": self._trace_id,
            "spanId": span_id,
            "attributes": _attributes({"firstpacket.link": reason}),
        }

    def _role(self, span: StageSpan) -> str | None:
        return next((stage.role for stage in self._one.plan.stages if stage.id == span.stage), None)

    def _stage_id(self, span: StageSpan) -> str:
        return self._id(f"stage {self._place(span)}")

    def _place(self, span: StageSpan) -> int:
        return self._places[id(span)]

    def _id(self, of: str, size: int = 8) -> str:
        return blake2b(f"{self._seed}\n{of}".encode("utf-8", "replace"), digest_size=size).hexdigest()

    def _span(
        self, span_id: str, name: str, start_ns: int, end_ns: int, facts: Mapping[str, object], kind: int = INTERNAL
    ) -> Json:
        return {
            "traceId": self._trace_id,
            "spanId": span_id,
            "parentSpanId": self._root_id,
            "name": clean(name),
            "kind": kind,
            "startTimeUnixNano": self._time(start_ns),
            "endTimeUnixNano": self._time(end_ns),
            "attributes": _attributes(facts),
        }

    def _event(self, name: str, at_ns: int, facts: Mapping[str, object] | None = None) -> Json:
        return {"timeUnixNano": self._time(at_ns), "name": name, "attributes": _attributes(facts or {})}

    def _time(self, at_ns: int) -> str:
        """64-bit numbers are strings in OTLP JSON."""
        return str(self._one.wall_ns(at_ns))


def _resource(one: OneTurn) -> Json:
    return {
        "service.name": "firstpacket",
        "service.version": __version__,
        "firstpacket.run": one.run.manifest.run,
        "firstpacket.corpus": one.run.manifest.corpus,
        "firstpacket.corpus.sha256": one.run.manifest.corpus_sha256,
    }


def _turn_facts(one: OneTurn) -> Json:
    turn = one.turn
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": turn.label,
        "gen_ai.provider.name": "firstpacket",
        "gen_ai.output.type": "speech",
        "error.type": turn.outcome if turn.outcome in ("failed", "timeout", "interrupted") else None,
        "firstpacket.turn": turn.turn,
        "firstpacket.phase": turn.phase,
        "firstpacket.utterance": turn.utterance,
        "firstpacket.outcome": turn.outcome,
        "firstpacket.flags": list(turn.flags) or None,
        "firstpacket.pipeline": one.plan.pipeline,
        "firstpacket.device": one.plan.device,
        "firstpacket.dtype": one.plan.dtype,
        "firstpacket.t0": one.evidence.options.t0,
        "firstpacket.input": one.run.manifest.options.input,
        **{f"firstpacket.figure.{name}": value for name, value in turn.figures.items()},
        **{f"firstpacket.path.{part.stage or 'none'}.{part.kind}": part.ns for part in turn.path},
        "firstpacket.path.error": turn.path_error_ns,
        **{f"firstpacket.hidden.{stage}": ns for stage, ns in turn.hidden.items()},
    }


def _model(one: OneTurn) -> str:
    """The language model, by its requested name, otherwise by what its engine reported."""
    asked = _option(one, "llm-model", str)
    loaded = next((facts for facts in one.segment.labels if facts.label == one.turn.label), None)
    if asked or loaded is None:
        return str(asked or "")
    weights = next((f"{each.origin}: {each.source}" for each in loaded.weights if each.part == "llm"), "")
    return str(loaded.facts.get("llm_model", weights))


def _usage(one: OneTurn) -> Json:
    """Tokens as counted by the engine or server that ran the model, if it did."""
    usage = one.trace.usage
    if usage is None:
        return {}
    return {"gen_ai.usage.input_tokens": usage.prompt_tokens, "gen_ai.usage.output_tokens": usage.reply_tokens}


def _provider(one: OneTurn) -> str:
    """The provider of the model: the engine chosen by the system, otherwise its pipeline."""
    return one.plan.engines.get("llm", one.plan.pipeline)


def _option(one: OneTurn, name: str, kind: type[OptionValue]) -> OptionValue | None:
    """An option of the system, if it has one with this name and type."""
    value = one.plan.options.get(name)
    return value if type(value) is kind else None


def _seconds(turn: Turn, figure: str) -> float | None:
    value = turn.figures.get(figure)
    return value / NS_PER_S if value is not None else None


def _attributes(facts: Mapping[str, object]) -> list[Json]:
    """Attributes in OTLP JSON; those without a value are left out."""
    return [{"key": clean(key), "value": _value(value)} for key, value in facts.items() if value is not None]


def _value(value: object) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": clean(str(value))}
