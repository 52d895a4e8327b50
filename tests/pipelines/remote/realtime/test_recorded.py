"""A turn of a real server, played again on virtual time: what it sent is understood, at the moment it came."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.command import ROOT
from support.realtime_server import Gone, Peer
from support.realtime_turns import SECOND, Loaded, loaded

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.record.schema import Evidence, TurnResult
from firstpacket.bench.run.executor import TurnConfig

RECORDING = ROOT / "tests" / "real_servers" / "recordings" / "hf-speech-to-speech-1.1.0.jsonl"
FRAME_MS = 20


@dataclass
class Recorded:
    """Says what a server said, as long after the first audio as it did then."""

    path: Path
    begun_ns: int = 0
    """When the first audio came, on the clock of now."""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.messages = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
        audio = (each["at_ns"] for each in self.messages if each["event"]["type"] == "input_audio_buffer.append")
        self._first_ns = next(audio)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The server's messages of a type."""
        return [each for each in self.messages if each["from"] == "server" and each["event"]["type"] == kind]

    def at_ns(self, message: dict[str, Any]) -> int:
        """When it comes now."""
        return self.begun_ns + int(message["at_ns"]) - self._first_ns

    def __call__(self, peer: Peer) -> None:
        created, updated, *rest = [each for each in self.messages if each["from"] == "server"]
        with suppress(Gone):
            self._say(peer, created)
            peer.receive()
            self._say(peer, updated)
            peer.receive()
            self.begun_ns = peer.clock.now_ns()
            for message in rest:
                peer.clock.sleep_until_ns(self.at_ns(message))
                self._say(peer, message)
            while True:
                peer.receive()

    def _say(self, peer: Peer, message: dict[str, Any]) -> None:
        event = dict(message["event"])
        if "audio_bytes" in message:
            event["delta"] = base64.b64encode(b"\0\x40" * (message["audio_bytes"] // 2)).decode()
        peer.say(event.pop("type"), **event)


@pytest.fixture(scope="module")
def server() -> Recorded:
    return Recorded(RECORDING)


@pytest.fixture(scope="module")
def result(server: Recorded) -> TurnResult:
    pipeline: Loaded = loaded(server, dialect="hf")
    (clip,) = [one for one in load_corpus("demo").utterances if one.id == "capital"]
    return pipeline.executor.run(1, clip, TurnConfig("realtime", 30 * SECOND))


def test_it_is_answered_and_its_audio_is_stamped_when_it_came(server: Recorded, result: TurnResult) -> None:
    assert (result.outcome, result.reason) == ("answered", "")
    deltas = server.said("response.output_audio.delta")
    assert [packet.at_ns for packet in result.trace.packets] == [server.at_ns(delta) for delta in deltas]
    assert [packet.samples * 2 for packet in result.trace.packets] == [delta["audio_bytes"] for delta in deltas]
    assert {packet.sample_rate for packet in result.trace.packets} == {24_000}


def test_its_texts_are_kept(server: Recorded, result: TurnResult) -> None:
    texts = [(text.kind, text.text) for text in result.trace.texts]
    (heard,) = server.said("conversation.item.input_audio_transcription.completed")
    assert texts[:2] == [("partial", "What"), ("partial", "What is the capital")]
    assert texts[2:] == [
        ("transcript", heard["event"]["transcript"]),
        ("reply", "The capital of P Mexico is W Greees."),
    ]


def test_its_end_of_speech_is_found_on_the_audios_time_line(server: Recorded, result: TurnResult) -> None:
    """The event itself is held back until the reply is certain, over a second later."""
    seen = {name: getattr(result, name) for name in TurnResult.__slots__}
    figures = turn_figures(
        Evidence(**seen, label="remote", utterance="capital", kinds={"endpoint": "endpoint"})
    ).figures
    (stopped,) = server.said("input_audio_buffer.speech_stopped")
    decided_ms = stopped["event"]["audio_end_ms"] - 1721.75
    assert decided_ms <= figures["endpointing_delay"] / 1e6 <= decided_ms + 2 * FRAME_MS
    assert server.at_ns(stopped) - result.delivery.t0_ns > figures["endpointing_delay"] + SECOND


def test_its_own_figures_are_kept(server: Recorded, result: TurnResult) -> None:
    (done,) = server.said("response.done")
    stated = json.loads(done["event"]["response"]["metadata"]["speech_to_speech.turn_latency"])
    kept = {figure.name: figure.ns / 1e9 for figure in result.trace.server_figures}
    assert kept == pytest.approx(
        {
            "transcription": stated["stt_s"],
            "llm": stated["llm_s"],
            "speech": stated["tts_ttfa_s"],
            "e2e": stated["e2e_s"],
            "endpoint decision": stated["vad_decision_s"],
        },
        abs=1e-9,
    )
