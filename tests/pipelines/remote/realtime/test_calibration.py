"""Servers with random delays on virtual time: every stage is what the server did, to the nanosecond."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from support.realtime_dialects import FAKES
from support.realtime_server import Peer, Server
from support.realtime_turns import after_speech_ms, loaded

MS = 1_000_000


@dataclass(slots=True)
class Logging(Server):
    """Writes down, by the same clock, when it decided and when it spoke."""

    decided_ns: list[int] = field(default_factory=list)
    spoke_ns: list[int] = field(default_factory=list)

    def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
        self.decided_ns.append(peer.clock.now_ns())
        Server.respond(self, peer, number, late)

    def named(self, name: str) -> str:
        if name == "response.output_audio.delta":
            self.spoke_ns.append(self.peers[-1].clock.now_ns())
        return Server.named(self, name)


def logging(server: Server, **changes: Any) -> Logging:
    return Logging(**{each.name: getattr(server, each.name) for each in fields(Server)} | changes)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("name", "turns"),
    [("openai", "manual"), ("openai", "server_vad"), ("16 kHz", "server_vad"), ("hf", "server_vad"),
     ("dashscope", "server_vad"), ("vllm-omni", "manual")],
)  # fmt: skip
def test_every_stage_is_what_the_server_did(
    name: str, turns: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE_KEY", "sk-1")
    rolled = random.Random(f"{name} {turns} {seed}")
    pieces = tuple((rolled.uniform(0, 300), rolled.choice((1, 20, 85.5, 1000))) for _ in range(rolled.randint(1, 6)))
    server = logging(
        FAKES["openai" if name == "16 kHz" else name].server(),
        think_ms=rolled.uniform(0, 3000),
        pieces=pieces,
        ready_ms=rolled.uniform(0, 500),
    )
    given = name
    if name == "16 kHz":  # frames are sent as they are: what ends with one ends exactly where the next begins
        server.rate = 16_000
        given = str(tmp_path / "plain.toml")
        Path(given).write_text("input-rate = 16000\n")
    silence_ms = rolled.randint(1, 1200)
    pipeline = loaded(
        server, dialect=given, turns=turns, endpoint_silence=silence_ms, model="tiny", key_env="VOICE_KEY",
        url="ws://127.0.0.1:1",
    )  # fmt: skip
    found = pipeline.turn(seconds=rolled.choice((0.5, 0.733, 1.0)), deadline_s=20)
    assert found.outcome == "answered", found.reason

    t0_ns, (decided_ns,), spoke_ns = found.delivery.t0_ns, server.decided_ns, server.spoke_ns
    if turns != "manual":
        assert silence_ms <= (decided_ns - t0_ns) / MS < silence_ms + 41, "at a frame's end, after enough silence"
    assert spoke_ns[0] - decided_ns == round(server.think_ms * MS) + round(pieces[0][0] * MS)
    borders = {stage: (start_ms, end_ms) for stage, start_ms, end_ms in after_speech_ms(found)}
    decided_ms, spoke_ms = ((each - t0_ns) / MS for each in (decided_ns, spoke_ns[0]))
    assert borders["uplink"] == (0, 0)
    assert turns == "manual" or borders["endpoint"] == (0, decided_ms)
    assert borders["wait"] == (decided_ms, spoke_ms)
    assert borders["reply"] == (spoke_ms, spoke_ms)

    arrived = [packet.at_ns for packet in found.trace.packets]
    delays = [0, *(round(delay_ms * MS) for delay_ms, _ in pieces[1:])]
    assert arrived == spoke_ns == [spoke_ns[0] + each for each in accumulate(delays)]
    lengths = [packet.samples for packet in found.trace.packets]
    assert lengths == [round(audio_ms * server.output_rate / 1000) for _, audio_ms in pieces]
    assert found.trace.session is not None
    assert found.trace.session.ready_ns - found.trace.session.open_ns == round(server.ready_ms * MS)
