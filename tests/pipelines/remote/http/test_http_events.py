"""Bytes of a server-sent stream → events, in every form that servers give them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.remote.http.events import LONGEST, Event, EventParser
from firstpacket.pipelines.remote.problems import ServerError

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
