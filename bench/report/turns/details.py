"""The details of one turn: its pictures, its facts in words, and its question, transcript and reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firstpacket.bench.analysis.turn_trace import OneTurn, playback
from firstpacket.bench.format import amount
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.metrics.during_speech import stage_of
from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.metrics.t0 import all_starts
from firstpacket.bench.record.schema import Turn, UtteranceFacts
from firstpacket.bench.report.bars import NO_STAGE
from firstpacket.bench.report.turns.pictures import STARTS, Picture, heard_picture, stage_picture, stage_scale
from firstpacket.bench.report.turns.rows import figure_ms
from firstpacket.bench.timing.clock import NS_PER_MS

LONGEST_TEXT = 2000
"""Characters shown of a text; the trace has the rest."""
MOST_TYPES = 20
"""Types of messages that are named."""
APART = ("partial", "transcript", "reply")
"""Texts of a trace that are shown elsewhere, or not at all."""

Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Detail:
    """One turn's details. Without a trace there are no pictures, and `problem` says why."""

    turn: Turn
    facts: tuple[Named, ...]
    problem: str = ""
    heard: Picture | None = None
    stages: Picture | None = None
    texts: tuple[Named, ...] = ()


def opened(one: OneTurn, asked: UtteranceFacts | None, answers: Sequence[str]) -> Detail:
    """A turn whose trace is available."""
    return Detail(
        turn=one.turn,
        facts=(*narrow_facts(one.turn), *_trace_facts(one)),
        heard=heard_picture(one, asked.speech_end_ms if asked else 0.0),
        stages=stage_picture(one, stage_scale([one])),
        texts=tuple(_texts(one, asked, answers)),
    )


def closed(turn: Turn, asked: UtteranceFacts | None, answers: Sequence[str], problem: str) -> Detail:
    """A turn of which only the line in turns.jsonl is known."""
    return Detail(turn, tuple(narrow_facts(turn)), problem, texts=(*_question(asked), *_references(answers)))


def narrow_facts(turn: Turn) -> Iterator[Named]:
    """The turn's line in turns.jsonl, in words."""
    first, heard = figure_ms(turn, HEADLINE), figure_ms(turn, FIRST_AUDIBLE)
    if first is None:
        yield "outcome", f"{turn.outcome}: no packet arrived" + (f"; {turn.reason}" if turn.reason else "")
    else:
        missing = "; the turn ended there" if turn.left_early else ", nothing audible"
        audible = f", the first audible sample {amount(heard, 'ms')}" if heard is not None else missing
        yield "answer", f"first packet {amount(first, 'ms')} after t0{audible}"
        if turn.reason:
            yield "outcome", f"{turn.outcome}: {turn.reason}"
    if turn.path:
        parts = " + ".join(f"{part.stage or NO_STAGE} {part.kind} {_amount(part.ns)}" for part in turn.path)
        error = f" (GPU event times within {_amount(turn.path_error_ns)})" if turn.path_error_ns else ""
        yield "critical path", f"{parts} = {_amount(sum(part.ns for part in turn.path))}{error}"
    if any(turn.hidden.values()):
        yield "hidden", ", ".join(f"{stage} {_amount(ns)}" for stage, ns in turn.hidden.items() if ns)
    early = [f"{stage} {_amount(int(ns))}" for name, ns in turn.figures.items() if (stage := stage_of(name))]
    if early:
        yield "work during speech", ", ".join(early)


def _trace_facts(one: OneTurn) -> Iterator[Named]:
    stalls = [end_ns - start_ns for kind, start_ns, end_ns in playback(one.evidence) if kind == "stalled"]
    if one.trace.packets and not one.turn.left_early:
        waited = f", {_amount(one.evidence.pre_roll_ns)} of pre-roll" if one.evidence.pre_roll_ns else ""
        said = f"stalled {len(stalls)} times: {', '.join(map(_amount, stalls))}" if stalls else "never stalled"
        yield "player", f"{said}{waited}"
    starts = all_starts(one.evidence)
    yield from _server_facts(one)
    found = [f"{STARTS[name]} {_amount(ns - starts['speech_end'])}" for name, ns in starts.items() if name in STARTS]
    if found:
        yield "after the end of speech", "; ".join(found)


def _server_facts(one: OneTurn) -> Iterator[Named]:
    """The connection, its messages, and the server's own figures."""
    trace = one.trace
    if (session := trace.session) is not None:
        how = ", since the one before had ended" if session.renewed else ""
        open_ns, ready_ns = session.open_ns - session.begun_ns, session.ready_ns - session.begun_ns
        yield "session", f"made for this turn{how}: connected after {_amount(open_ns)}, ready after {_amount(ready_ns)}"
    if trace.messages:
        sent = sum(message.sent for message in trace.messages)
        firsts: dict[str, int] = {}
        for message in trace.messages:
            firsts.setdefault(message.type, message.at_ns)
        named = ", ".join(f"{kind} {_amount(ns - one.t0_ns)}" for kind, ns in [*firsts.items()][:MOST_TYPES])
        yield "messages", f"{sent} sent, {len(trace.messages) - sent} received; first of each type after t0: {named}"
    if trace.server_figures:
        named = ", ".join(f"{each.name} {_amount(each.ns)}" for each in trace.server_figures)
        yield "reported by the server", f"{named} (by its own clock; these need not add up)"


def _texts(one: OneTurn, asked: UtteranceFacts | None, answers: Sequence[str]) -> Iterator[Named]:
    texts = one.trace.texts
    transcripts = [text.text for text in texts if text.kind == "transcript"]
    yield from _question(asked)
    if transcripts:
        yield "transcript", _shortened(transcripts[-1])
    if reply := reply_text(one.trace):
        yield "reply, as far as it was written" if one.turn.left_early else "reply", _shortened(reply)
    yield from _references(answers)
    if one.trace.usage is not None:
        usage = one.trace.usage
        cached = f" ({usage.cached_tokens} from the cache)" if usage.cached_tokens is not None else ""
        yield "usage", f"{usage.prompt_tokens} prompt tokens{cached}, {usage.reply_tokens} reply tokens"
    yield from ((text.kind, _shortened(text.text)) for text in texts if text.kind not in APART)


def _question(asked: UtteranceFacts | None) -> Iterator[Named]:
    if asked is not None and asked.text:
        yield "question", _shortened(asked.text)


def _references(answers: Sequence[str]) -> Iterator[Named]:
    return (("reference answer", _shortened(answer)) for answer in answers)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} …"


def _amount(ns: int) -> str:
    return amount(ns / NS_PER_MS, "ms")
