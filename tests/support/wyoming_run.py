"""Whole runs of cascades whose three engines are Wyoming servers, on virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstpacket.bench import registry
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.pipelines.remote.wyoming import transport
from support.runs import make_manifest, make_segment, make_system
from support.virtual import NoProgress, facts_of, make_utterances
from support.wyoming_server import Behaviour, FakeServer, agent, by_address, recogniser, voice

ROLES = ("asr", "llm", "tts")


def wyoming_run(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behaviours: dict[str, Behaviour] | None = None,
    input: str = "realtime",
    count: int = 3,
    **options: Any,
) -> tuple[Run, dict[str, FakeServer]]:
    """The run, whose measured turns follow a cold one and one to warm up, and the servers.

    Those are a recogniser (250 ms), an agent (100 ms) and a voice (50 ms), unless `behaviours` has another one.
    """
    clock = VirtualClock()
    behave = {"asr": recogniser(), "llm": agent(), "tts": voice(), **(behaviours or {})}
    servers = {role: FakeServer(clock, behave[role]) for role in ROLES}
    monkeypatch.setattr(transport, "dial", by_address(**servers))
    uris = {f"{role}-uri": f"tcp://{role}:1" for role in ROLES}
    chosen = {**dict.fromkeys(ROLES, "wyoming"), **uris, **{name.replace("_", "-"): v for name, v in options.items()}}
    declaration, values = registry.check_options("cascade", chosen)
    system = make_system("chain", pipeline="cascade", options=dict(values), stages=declaration.stages)
    clips = make_utterances(count)
    manifest = make_manifest(
        run="test", turns=count, labels=(system,), utterances=tuple(map(facts_of, clips)), input=input
    )
    with RunWriter.create(path, manifest) as writer:
        executors = {"chain": InProcessExecutor(system, clock)}
        Manager(manifest, writer, executors, clips, NoProgress(), clock=clock).run((), make_segment)
    return read_run(path), servers
