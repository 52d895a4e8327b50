"""Runs with a system that cannot be looked into, as the client of a server sees it.

`black_box_run` is made from numbers. `served_run` really answers, on virtual time: with messages, sessions, pings,
texts, and what the server says of itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from firstpacket.bench.pipeline import Declaration, OptionValue, Packet, Pipeline, Settings, Speech, Stage
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import Message, Session
from firstpacket.bench.timing.trace import Trace
from support.runs import MS, STAGES, Timing, make_facts, make_run, make_system
from support.virtual import make_utterances, run_manager, scripted_manifest

RATE = 16_000
REMOTE = (
    Stage("uplink", "move"), Stage("endpoint", "wait", "endpoint"), Stage("wait", "opaque"), Stage("reply", "move"),
)  # fmt: skip
URL = "ws://voice.example.internal:8765/v1/realtime"
FACTS: Mapping[str, OptionValue] = {"server": "speech-to-speech 1.1.0", "dialect": "hf"}
CASCADE: Timing = {"asr": 300, "llm.decode": 150, "tts": 50}
ANSWER: Timing = {"uplink": 10, "endpoint": 200, "wait": 390, "reply": 0}


def make_remote(label: str = "realtime", **changes: Any) -> System:
    usual = {"pipeline": "elsewhere", "kind": "remote", "stages": REMOTE, "options": {"url": URL}}
    return make_system(label, **{**usual, **changes})


def black_box_run(
    remote: Sequence[Timing] | None = None, facts: Mapping[str, OptionValue] | None = None, **changes: Any
) -> Run:
    """A cascade, then a remote system, on eight clips; `facts` are what it said of itself when it was loaded."""
    known = FACTS if facts is None else facts
    return make_run(
        {"cascade": [CASCADE] * 8, "realtime": remote or [ANSWER] * 8},
        labels=(make_system("cascade", kind="cascade", stages=STAGES), make_remote()),
        segment={"labels": (make_facts("cascade"), make_facts("realtime", weights=(), facts=known))},
        **changes,
    )


class Server(Pipeline):
    """Connects for 300 ms before its first turn; its reply begins 40 ms of silence before it is audible.

    It says that the whole took it 350 ms, while its client waits for `uplink` + `endpoint` + `wait`: 410 ms.
    """

    declaration = Declaration("elsewhere", "answers elsewhere", "remote", stages=REMOTE)
    packets = 3

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.turn = 0

    def load(self) -> None: ...

    def facts(self) -> Mapping[str, OptionValue]:
        return FACTS

    def prepare(self, trace: Trace) -> None:
        self.turn += 1
        begun = trace.clock.now_ns()
        if self.turn == 1:
            trace.clock.sleep_until_ns(begun + 300 * MS)
            trace.session(Session(begun, begun + 200 * MS, trace.clock.now_ns()))
        trace.round_trip((5 + self.turn % 2) * MS)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        spoken = trace.clock.now_ns()
        self.sends(trace, "input_audio_buffer.append", audio_bytes=6400)
        trace.clock.sleep_until_ns(spoken + 10 * MS)
        trace.record("uplink", spoken, trace.clock.now_ns())
        self.sends(trace, "input_audio_buffer.commit")
        trace.clock.sleep_until_ns(spoken + 210 * MS)
        trace.record("endpoint", spoken + 10 * MS, trace.clock.now_ns())
        self.says(trace, "input_audio_buffer.committed", item_id="item_1")
        heard = f"the secret question number {self.turn}"
        self.says(trace, "conversation.item.input_audio_transcription.completed", transcript=heard)
        trace.text("transcript", heard)
        limits = [{"name": "tokens", "limit": 1000, "remaining": 1000 - 10 * self.turn, "reset_seconds": 1.5}]
        self.says(trace, "rate_limits.updated", rate_limits=limits)
        trace.clock.sleep_until_ns(spoken + 410 * MS)
        trace.record("wait", spoken + 210 * MS, trace.clock.now_ns())
        trace.text("reply", f"the private answer number {self.turn}")
        reply = np.full(RATE // 5, 0.1, np.float32)
        reply[: RATE // 25] = 0
        for number in range(self.packets):
            self.says(trace, "response.output_audio.delta", audio_bytes=2 * len(reply), response_id="resp_1")
            yield Packet(reply if number == 0 else np.abs(reply) + 0.1, RATE, trace.hand_off("wait"))
            trace.clock.sleep_until_ns(trace.clock.now_ns() + 200 * MS)
        latency = json.dumps({"stt_s": 0.09, "e2e_s": 0.35})
        self.says(trace, "response.done", response={"status": "completed", "metadata": {"turn_latency": latency}})
        trace.server_says("stt", 90 * MS)
        trace.server_says("e2e", 350 * MS)

    def sends(self, trace: Trace, kind: str, audio_bytes: int = 0) -> None:
        now = trace.clock.now_ns()
        trace.message(Message(True, kind, now, 100, done_ns=now, audio_bytes=audio_bytes))

    def says(self, trace: Trace, kind: str, audio_bytes: int = 0, **body: Any) -> None:
        text = json.dumps({"type": kind, **body})
        trace.message(Message(False, kind, trace.clock.now_ns(), len(text), audio_bytes=audio_bytes, body=text))


def served_run(path: Path, server: type[Server] = Server, count: int = 8, blocks: int = 1, **changes: Any) -> Path:
    """The folder of a run of a cascade and of a server that is a black box, on virtual time."""
    clips = make_utterances(count)
    what = scripted_manifest({"cascade": "hear; asr 300; llm.decode 150; tts 50; packet 200"}, clips, **changes)
    what = replace(what, labels=(*what.labels, make_remote()), turns=count * blocks)
    clock = VirtualClock()
    cascade, remote = what.labels
    executors = {
        "cascade": InProcessExecutor(cascade, clock), "realtime": InProcessExecutor(remote, clock, server)
    }  # fmt: skip
    run_manager(path, what, clips, executors)
    return path
