"""A turn's stages, marks, texts and server figures, derived from its messages alone: live, and when replayed.

uplink     sending the end of the user's speech: its last frame, or with manual turns the messages that end the turn
endpoint   the server waits until it is certain that the user has finished (not with manual turns)
wait       everything until the first audio of the reply: the server's work, and the way back
reply      from the receipt of audio to the packet: decoding, on this side
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from firstpacket.bench.timing.spans import Mark, Message, ServerFigure, StageSpan, Text, TurnTrace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.remote.realtime.dialect import Dialect
from firstpacket.pipelines.remote.realtime.events import text

UPLINK, ENDPOINT, WAIT, REPLY = "uplink", "endpoint", "wait", "reply"
SILENCE = "silence"
"""Body of audio that was sent after the user's speech."""
APPEND = "input_audio_buffer.append"
AUDIO = "response.output_audio.delta"
MS = 1_000_000
MAX_PARTIAL_CHARACTERS = 1_000_000
"""Characters of a turn's partial transcripts, each of which repeats the one before."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a turn's messages show."""

    stages: tuple[tuple[str, int, int], ...]
    """Stage, begin, end, in ns; those before the reply follow one another without gaps."""
    endpoint_ns: int | None
    """When the server had heard enough to decide that the user had finished, as far as it says so."""
    texts: tuple[tuple[str, str, int], ...]
    """Kind, text, ns."""
    figures: tuple[tuple[str, int], ...]
    """Name, ns: the server's own."""


def build_timeline(messages: Sequence[Message], dialect: Dialect) -> Timeline:
    """Pure: the same messages give the same timeline."""
    received = [(message, dialect.canonical(message.type)) for message in messages if not message.sent]
    first_audio_ns = next((message.at_ns for message, name in received if name == AUDIO and message.audio_bytes), None)
    sent = [message for message in messages if message.sent]
    speech = [message for message in sent if message.type == APPEND and message.body != SILENCE]
    after_speech = sent[sent.index(speech[-1]) + 1 :] if speech else sent
    end_messages = [
        message for message in after_speech if message.type in {each["type"] for each in dialect.end_of_turn}
    ]
    endpoint_ns = None if end_messages else _endpoint_ns(received, sent, dialect)
    end_of_speech = (end_messages[0].due_ns, end_messages[-1].done_ns) if end_messages else None
    if speech and end_of_speech is None:
        end_of_speech = speech[-1].due_ns, speech[-1].done_ns
    return Timeline(
        tuple(_stages(end_of_speech, endpoint_ns, first_audio_ns)) if end_of_speech is not None else (),
        endpoint_ns,
        tuple(sorted(_texts(received), key=lambda each: each[2])),
        tuple(_figures(received, dialect)),
    )


def replayed(trace: TurnTrace, dialect: Dialect) -> TurnTrace:
    """The trace with everything that follows from its messages derived again; the rest, such as decoding, is kept."""
    timeline = build_timeline(trace.messages, dialect)
    derived = {UPLINK, ENDPOINT, WAIT}
    thread = next((span.thread for span in trace.spans if span.stage in derived), 0)
    spans = [span for span in trace.spans if span.stage not in derived]
    spans += [StageSpan(stage, thread, start_ns, end_ns) for stage, start_ns, end_ns in timeline.stages]
    marks = [mark for mark in trace.marks if mark.name != KnownMark.ENDPOINT]
    marks += [Mark(KnownMark.ENDPOINT, timeline.endpoint_ns)] if timeline.endpoint_ns is not None else []
    texts = [Text(kind, text, at_ns) for kind, text, at_ns in timeline.texts]
    return replace(
        trace,
        spans=tuple(sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))),
        marks=tuple(marks),
        texts=(*texts, *(text for text in trace.texts if text.kind == "shortcoming")),
        server_figures=tuple(ServerFigure(name, ns) for name, ns in timeline.figures),
    )


def _stages(
    end_of_speech: tuple[int, int], endpoint_ns: int | None, audio_ns: int | None
) -> Iterator[tuple[str, int, int]]:
    begin_ns, sent_ns = end_of_speech
    until_ns = sent_ns if audio_ns is None else min(sent_ns, audio_ns)
    yield UPLINK, begin_ns, max(begin_ns, until_ns)
    if endpoint_ns is not None and endpoint_ns > until_ns:
        decided_ns = endpoint_ns if audio_ns is None else min(endpoint_ns, audio_ns)
        yield ENDPOINT, until_ns, decided_ns
        until_ns = max(until_ns, decided_ns)
    if audio_ns is not None and audio_ns > until_ns:
        yield WAIT, until_ns, audio_ns


def _endpoint_ns(received: Iterable[tuple[Message, str]], sent: Sequence[Message], dialect: Dialect) -> int | None:
    """When the sample at which the server's detector ended the turn was sent; without a position, when the event came.

    `audio_end_ms` is a position on the audio's time line: of all audio sent on the connection, with the silence that
    the detector waited for. Servers that mean another position have `endpoint = "receipt"` in their table.
    """
    stops = [message for message, name in received if name == "input_audio_buffer.speech_stopped"]
    if not stops:
        return None
    position = _body(stops[-1]).get("audio_end_ms") if dialect.endpoint == "audio_end_ms" else None
    if isinstance(position, (int, float)) and 0 <= position < 1e12:
        return _sent_at_ns(int(position * MS), sent) or stops[-1].at_ns
    return None if dialect.late_speech_stopped else stops[-1].at_ns


def _sent_at_ns(position_ns: int, sent: Sequence[Message]) -> int | None:
    """When the audio that ends at this position was sent; None if it was not."""
    audio = [message for message in sent if message.type == APPEND]
    before = [message for message in audio if message.position_ns < position_ns]
    return before[-1].at_ns if before and position_ns <= audio[-1].position_ns + 1_000 * MS else None


def _texts(received: Iterable[tuple[Message, str]]) -> Iterator[tuple[str, str, int]]:
    reply: list[str] = []
    written: list[str] = []
    partial, partials, last_ns = "", 0, 0
    for message, name in received:
        if name.startswith("conversation.item.input_audio_transcription."):
            body, kind = _body(message), name.rpartition(".")[2]
            if kind == "delta":
                partial += text(body.get("delta"))
                partials += len(partial)
                if partials <= MAX_PARTIAL_CHARACTERS:
                    yield "partial", partial, message.at_ns
            elif kind == "updated":
                yield "partial", text(body.get("transcript")), message.at_ns
            elif kind == "completed":
                partial = ""
                yield "transcript", text(body.get("transcript")), message.at_ns
        elif name in ("response.output_audio_transcript.delta", "response.output_text.delta"):
            (reply if "audio" in name else written).append(text(_body(message).get("delta")))
            last_ns = message.at_ns
    if reply or written:
        yield "reply", "".join(reply or written), last_ns


def _figures(received: Iterable[tuple[Message, str]], dialect: Dialect) -> Iterator[tuple[str, int]]:
    if not dialect.metadata:
        return
    for message, name in received:
        if name != dialect.response_ends_with:
            continue
        response = _body(message).get("response")
        metadata = response.get("metadata") if isinstance(response, dict) else None
        stated = _json(metadata.get(dialect.metadata)) if isinstance(metadata, dict) else {}
        for theirs, ours in dialect.figures.items():
            seconds = stated.get(theirs)
            if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds < 1e6:
                yield ours, round(seconds * 1e9)


def _body(message: Message) -> dict[str, Any]:
    return _json(message.body)


def _json(value: Any) -> dict[str, Any]:
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
