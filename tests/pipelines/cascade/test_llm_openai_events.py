"""Bytes of a server-sent stream → events, in every form that servers give them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.cascade.llm.openai.chunks import Chunk, Usage, parse
from firstpacket.pipelines.cascade.llm.openai.events import LONGEST, Event, EventParser
from firstpacket.pipelines.cascade.llm.openai.key import KeyFilter
from firstpacket.pipelines.cascade.llm.openai.problems import ServerError, body_text

STREAM = (
    ": a comment\n\n"
    "event: ping\ndata:\n\n"
    "data: \n\n"
    "id: 7\nretry: 10\n\n"
    'data: {"größe": "½ €"}\n\n'
    "data:tight\n\n"
    "data: two\ndata: lines\n\n"
    "event: error\ndata: bad\n\n"
    '{"error": "a bare line"}\n'
    "data\n\n"
    "data: [DONE]\n\n"
    "data: cut short"
)
EVENTS = [
    Event('{"größe": "½ €"}'),
    Event("tight"),
    Event("two\nlines"),
    Event("bad", "error"),
    Event('{"error": "a bare line"}'),
    Event("[DONE]"),
    Event("cut short"),
]


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.lists(st.integers(1, 260), max_size=30))
def test_events_are_the_same_however_the_bytes_are_split(line_end: str, bom: bool, cuts: list[int]) -> None:
    raw = (("\ufeff" if bom else "") + STREAM.replace("\n", line_end)).encode()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    parser = EventParser()
    seen = [event for a, b in pairwise(places) for event in parser.feed(raw[a:b])]
    assert [*seen, *parser.end()] == EVENTS


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_events_are_the_same_byte_by_byte(line_end: str) -> None:
    parser = EventParser()
    raw = f"\ufeffdata: first\n\n{STREAM}".replace("\n", line_end).encode()
    seen = [event for byte in raw for event in parser.feed(bytes([byte]))]
    assert [*seen, *parser.end()] == [Event("first"), *EVENTS]


@pytest.mark.parametrize("raw", [b"data: now\n\n", b"data: now\r\n\r", b"data: now\r\r"])
def test_an_event_is_given_as_soon_as_it_is_complete(raw: bytes) -> None:
    """A carriage return may be half of a line's end; the event does not wait for the other half."""
    assert list(EventParser().feed(raw)) == [Event("now")]


def test_an_event_without_end_is_given_up() -> None:
    parser = EventParser()
    with pytest.raises(ServerError, match="longer than"):
        for _ in range(LONGEST // 65_536 + 1):
            list(parser.feed(b"x" * 65_536))
    parser = EventParser()
    with pytest.raises(ServerError, match="longer than"):
        for _ in range(LONGEST // 65_536 + 1):
            list(parser.feed(b"data: " + b"x" * 65_536 + b"\n"))


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        ('{"error": {"message": "out of memory", "type": "server_error"}}', "out of memory"),
        ('{"error": "out of memory"}', "out of memory"),
        ('{"error": true, "message": "out of memory"}', "out of memory"),
        ('{"object": "error", "message": "too long", "code": 400}', "too long"),
        ('{"detail": "too long"}', "too long"),
        ('{"message": "too long", "choices": []}', "too long"),
        ('{"choices": [{"delta": {"content": ""}, "finish_reason": "error"}], "error": {"message": "gone"}}', "gone"),
        ('{"choices": [{"error": {"message": "gone"}, "delta": {}}]}', "gone"),
        ('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}', "seed: Extra inputs"),
        ('{"error": {"message": "Unknown parameter", "param": "seed"}}', r"Unknown parameter \(seed\)"),
        (
            '{"error": {"message": "Provider error", "metadata": {"raw": "overloaded"}}}',
            r"Provider error \(overloaded\)",
        ),
        ('{"errors": [{"message": "one"}, {"message": "two"}]}', "one; two"),
        ('{"error": {"code": 500}}', '"code": 500'),
        ('{"error": ' * 600 + "1" + "}" * 600, "mid-stream"),
    ],
)
def test_an_error_object_says_what_the_server_said(data: str, reported: str) -> None:
    with pytest.raises(ServerError, match=f"it reported an error mid-stream: .*{reported}|{reported}") as raised:
        parse(Event(data))
    assert len(str(raised.value)) < 400 and "\n" not in str(raised.value)


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    for data in ("it broke", '"it broke"', '{"what": "it broke"}', "{"):
        with pytest.raises(ServerError, match="an error mid-stream"):
            parse(Event(data, "error"))


@pytest.mark.parametrize("event", [Event("still here", "ping"), Event("{}"), Event('{"type": "ping"}', "ping")])
def test_keep_alives_of_gateways_say_nothing(event: Event) -> None:
    assert parse(event) == Chunk()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
        ("<!DOCTYPE html><body><h1>Sorry &amp; <b>wait</b></h1></body>", "Sorry & wait"),
        ("<p>Too <i>many</i> requests</p><script>alert(1)</script>", "Too many requests"),
        ("upstream connect error\nreset reason: overflow", "upstream connect error"),
        ("", ""),
        ("x" * 5000, "x" * 300 + "…"),
    ],
)
def test_a_body_that_is_no_json_gives_its_headline(body: str, text: str) -> None:
    assert body_text(body) == text


def test_a_chunk_in_its_variants() -> None:
    def of(delta: str, more: str = "") -> Chunk:
        return parse(Event('{"choices": [{"delta": ' + delta + more + "}]}"))

    assert of('{"role": "assistant", "content": null}') == Chunk(has_choice=True)
    assert of('{"content": "Yes"}, "finish_reason": "stop"') == Chunk("Yes", has_choice=True, finish="stop")
    parts = '[{"type": "thinking", "thinking": [{"text": "Hm"}]}, {"type": "text", "text": "Yes"}]'
    assert of('{"content": ' + parts + "}") == Chunk("Yes", reasons=True, has_choice=True)
    assert of('{"reasoning_details": [{"text": "Hm"}]}').reasons
    assert of('{"refusal": "No."}').refusal == "No."
    call = of('{"tool_calls": [{"index": 0, "function": {"name": "get_time"}}]}')
    assert call.calls and call.called == "get_time"
    assert parse(Event('{"choices": [{"message": {"content": "Yes"}}]}')).content == "Yes"


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2}', Usage(9, 2)),
        (
            '"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}',
            Usage(9, 2, 4),
        ),
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 0}', Usage(9, 2, 0)),
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2}, "timings": {"cache_n": 5}', Usage(9, 2, 5)),
        ('"usage": {"prompt_tokens": -1, "completion_tokens": true}', None),
        ('"usage": 7', None),
    ],
)
def test_token_counts_include_those_from_the_cache(said: str, usage: Usage | None) -> None:
    assert parse(Event('{"choices": [], ' + said + "}")).usage == usage


@given(st.lists(st.integers(1, 80), max_size=12))
def test_the_key_is_taken_out_however_the_reply_splits_it(cuts: list[int]) -> None:
    key = "sk-very-secret-0123456789"
    text = f"It is sk-very, no: {key}{key}, and sk-"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    keys = KeyFilter(key)
    said = "".join([keys.push(text[a:b]) for a, b in pairwise(places)]) + keys.flush()
    assert key not in said and key[3:] not in said
    assert said.startswith("It is sk-very, no: ") and said.endswith(", and sk-")


def test_text_waits_only_for_what_looks_like_the_key() -> None:
    keys = KeyFilter("sk-very-secret")
    assert [keys.push(piece) for piece in ("so", " s", "k-", "ate")] == ["so", " s", "k-", "ate"]
    assert [keys.push(piece) for piece in ("sk-v", "ery-good")] == ["", "sk-very-good"]
