"""The framing of Wyoming: the protocol's own package agrees with it, and nothing that a server writes is believed."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event as TheirEvent
from wyoming.event import read_event, write_event

from firstpacket.pipelines.remote.wyoming import protocol
from firstpacket.pipelines.remote.wyoming.protocol import Decoder, Event, WyomingError, encode

DATA = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
)


def decoded(raw: bytes) -> list[Event]:
    return list(Decoder().feed(raw))


@given(st.sampled_from(["transcribe", "audio-chunk"]), DATA, st.binary(max_size=100))
def test_the_package_reads_what_is_written(kind: str, data: dict[str, object], payload: bytes) -> None:
    stream = io.BytesIO(encode(Event(kind, data, payload)))
    read = read_event(stream)
    assert read is not None and not stream.read()
    assert (read.type, read.data, read.payload or b"") == (kind, data, payload)


@given(st.lists(st.tuples(DATA, st.binary(max_size=30)), min_size=1, max_size=4), st.integers(1, 50))
def test_what_the_package_writes_is_read_however_it_arrives(
    events: list[tuple[dict[str, object], bytes]], step: int
) -> None:
    stream = io.BytesIO()
    for data, payload in events:
        write_event(TheirEvent("x", data, payload), stream)
    raw, decoder = stream.getvalue(), Decoder()
    read = [event for start in range(0, len(raw), step) for event in decoder.feed(raw[start : start + step])]
    assert [(event.data, event.payload) for event in read] == events
    assert sum(event.size for event in read) == len(raw)
    assert not decoder.in_the_middle


def test_data_in_the_header_and_behind_it_is_merged() -> None:
    data = b'{"text": "b"}'
    header = json.dumps({"type": "t", "data": {"text": "a", "more": 1}, "data_length": len(data)}).encode()
    assert decoded(header + b"\n" + data)[0].data == {"text": "b", "more": 1}


def test_an_event_that_is_not_complete_is_noticed() -> None:
    decoder = Decoder()
    assert not list(decoder.feed(b'{"type": "x", "payload_length": 3}\nab'))
    assert decoder.in_the_middle
    assert [event.payload for event in decoder.feed(b"c")] == [b"abc"]


BAD = {
    b"\n": "is not JSON",
    b"GET / HTTP/1.1\r\n": "is not JSON: GET / HTTP/1.1",
    b"\xff\xfe{}\n": "is not JSON",
    b"[1]\n": "is not a JSON object",
    b"null\n": "is not a JSON object",
    b"{}\n": "without a type",
    b'{"type": 3}\n': "without a type",
    b'{"type": "a\\u001bb"}\n': "without a type",
    b'{"type": "' + b"x" * 65 + b'"}\n': "without a type",
    b'{"type": "x", "data": [1]}\n': "the data of its event x is not an object",
    b'{"type": "x", "data_length": -1}\n': "the data_length of its event x is not a length: -1",
    b'{"type": "x", "data_length": true}\n': "is not a length: True",
    b'{"type": "x", "payload_length": 1.5}\n': "the payload_length of its event x is not a length: 1.5",
    b'{"type": "x", "payload_length": "9"}\n': "is not a length",
    b'{"type": "x", "data_length": 99999999999}\n': "at most 4,194,304 are taken",
    b'{"type": "x", "payload_length": 99999999999}\n': "at most 16,777,216 are taken",
    b'{"type": "x", "payload_length": ' + b"9" * 4000 + b"}\n": "has a payload_length of 99999999999999999999 bytes",
    b'{"type": "x", "payload_length": ' + b"9" * 5000 + b"}\n": "is not JSON",
    b'{"type": "x", "data_length": 2}\n[]': "the data of its event x is not a JSON object",
    b'{"type": "x", "data_length": 3}\n{}{': "the data of its event x is not JSON",
    b'{"type": "x", "data": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}\n": "is not JSON",
}


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_an_event_that_is_none_is_refused_in_one_line(raw: bytes) -> None:
    with pytest.raises(WyomingError) as refused:
        decoded(raw)
    assert BAD[raw] in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_line_without_an_end_is_not_collected_for_ever() -> None:
    decoder = Decoder()
    with pytest.raises(WyomingError, match="a line of more than 1,048,576 bytes"):
        for _ in range(100):
            list(decoder.feed(b"x" * 65_536))
    assert sys.getsizeof(decoder._buffer) < 3 << 20


def test_texts_are_checked_where_they_are_used() -> None:
    event = Event("t", {"text": "a\ud800\x1b", "n": 3, "long": "x" * (protocol.MOST_OF_A_TEXT + 1), "none": None})
    assert event.text() == "a?\ufffd"
    assert event.optional_text("none") == event.optional_text("missing") == ""
    for name, problem in [("n", "has no n"), ("missing", "has no missing"), ("long", "more than 100,000 characters")]:
        with pytest.raises(WyomingError, match=problem):
            event.text(name)
