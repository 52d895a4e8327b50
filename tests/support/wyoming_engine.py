"""An engine for Wyoming and its server, on one virtual clock."""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

import pytest

from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR, LLM, TTS
from firstpacket.pipelines.remote.wyoming import transport
from support.wyoming_server import MS, Behaviour, FakeServer

E = TypeVar("E", ASR, LLM, TTS)


class Rig(Generic[E]):
    """`engine` speaks to `server`, which behaves as it is told; options are given as `asr_uri=...`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[E], behave: Behaviour, **options: Any) -> None:
        self.clock = VirtualClock()
        self.server = FakeServer(self.clock, behave)
        monkeypatch.setattr(transport, "dial", self.server.dial)
        defaults = {option.name: option.default for option in kind.declaration.options}
        given = {name.replace("_", "-"): value for name, value in options.items()}
        self.engine: E = kind(Settings(options={**defaults, **given}))

    def loaded(self) -> Self:
        self.engine.load()
        return self

    def prepared(self) -> Trace:
        """The trace of a turn that was prepared."""
        trace = Trace(self.clock)
        self.engine.prepare(trace)
        return trace


def texts(trace: TurnTrace, kind: str = "shortcoming") -> list[str]:
    return [each.text for each in trace.texts if each.kind == kind]


def received(trace: TurnTrace, begun_ns: int) -> list[tuple[str, float]]:
    """Types of the messages received, and the ms at which they were."""
    return [(each.type, (each.at_ns - begun_ns) / MS) for each in trace.messages if not each.sent]
