"""What a message costs the client of a Realtime server, in CPU time. `make bench` prints it; the test guards ratios.

Received: from the inbox to a decoded packet, recorded as evidence. Sent: from a frame of the microphone to the text
that is written. Each is compared with the least that any client must do: JSON, base64, samples.
"""

from __future__ import annotations

import base64
import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.realtime_server import tone

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import Session
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.credentials import Secrets
from firstpacket.pipelines.remote.realtime.audio import Encoder, decode, encode
from firstpacket.pipelines.remote.realtime.connection import Address, Connection
from firstpacket.pipelines.remote.realtime.dialect import load_dialect
from firstpacket.pipelines.remote.realtime.session import SessionConfig
from firstpacket.pipelines.remote.transport import Received

COUNT = 500
IDS = {"event_id": "event_123", "response_id": "resp_123", "item_id": "item_123", "output_index": 0, "content_index": 0}
AUDIO = json.dumps({
    "type": "response.output_audio.delta", **IDS,
    "delta": base64.b64encode(encode(tone(200, 24_000), "pcm")).decode(),
})  # fmt: skip
TEXT = json.dumps({"type": "response.output_audio_transcript.delta", **IDS, "delta": " noon"})
FRAME = tone(20, 16_000)


class Nowhere:
    """A line whose writes cost nothing."""

    def send(self, text: str) -> None:
        self.text = text

    def ping_ns(self, timeout_s: float) -> int | None:
        return None

    def close(self) -> None: ...

    def abort(self) -> None: ...


def connection() -> Connection:
    clock, dialect = MonotonicClock(), load_dialect("openai")
    address = Address("ws://127.0.0.1", "tiny", dialect, secrets=Secrets("sk-very-secret-0123456789"))
    made = Connection(
        address, SessionConfig(), clock, Nowhere(), clock.inbox(), Session(0, 0, 0), Encoder("pcm", dialect.input_rate)
    )
    made.begin_turn(Trace(clock))
    return made


def receiving(raw: str) -> Callable[[], None]:
    def work() -> None:
        made = connection()
        for _ in range(COUNT):
            made.inbox.put(Received(0, raw))
        for _ in range(COUNT):
            event, _ = made.next()
            if event.audio:
                decode(event.audio, "pcm")

    return work


def receiving_at_least(raw: str) -> Callable[[], None]:
    def work() -> None:
        for _ in range(COUNT):
            body = json.loads(raw)
            if "audio." in body["type"]:
                np.frombuffer(base64.b64decode(body["delta"]), "<i2").astype(np.float32)

    return work


def sending() -> None:
    made = connection()
    for _ in range(COUNT):
        made.send_audio(FRAME, 0)


def sending_at_least() -> None:
    frame: Samples = tone(20, 24_000)
    for _ in range(COUNT):
        data = (frame * 32767).astype("<i2").tobytes()
        json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()})


@pytest.mark.parametrize(
    ("what", "work", "least", "most"),
    [
        ("received: 200 ms of audio", receiving(AUDIO), receiving_at_least(AUDIO), 3),
        ("received: text", receiving(TEXT), receiving_at_least(TEXT), 25),
        ("sent: 20 ms of audio, 16 to 24 kHz", sending, sending_at_least, 12),
    ],
    ids=["audio", "text", "sent"],
)
def test_cost_of_a_message(
    benchmark: BenchmarkFixture, what: str, work: Callable[[], None], least: Callable[[], None], most: float
) -> None:
    times = [(timed(work), timed(least)) for _ in range(15)]
    ours_us, least_us = (statistics.median(each) for each in zip(*times, strict=True))
    benchmark.extra_info.update(us=ours_us, least_us=least_us)
    benchmark.pedantic(work, rounds=3)
    sys.stdout.write(f"\n{what}: {ours_us:.1f} µs of CPU time, at least {least_us:.1f} µs\n")
    assert ours_us < most * least_us


def timed(work: Callable[[], None]) -> float:
    """Microseconds of this thread's CPU time per message."""
    begun_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - begun_ns) / COUNT / 1000
