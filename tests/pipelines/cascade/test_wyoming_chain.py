"""A whole voice chain of Wyoming servers, measured on virtual time: every figure is the sum of what the servers do."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.wyoming_run import wyoming_run
from support.wyoming_server import MS, agent, recogniser, voice


@pytest.mark.parametrize("input", ["realtime", "file"])
def test_the_servers_times_are_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, input: str) -> None:
    run, servers = wyoming_run(tmp_path / "run", monkeypatch, input=input)
    assert len(run.measured()) == 3
    for turn in run.measured():
        assert (turn.outcome, turn.reason) == ("answered", "")
        assert turn.figures["first_packet_latency"] == (250 + 100 + 50) * MS
        assert turn.figures["asr_final_latency"] == 250 * MS
        assert {(part.stage, part.kind): part.ns for part in turn.path} == {
            ("asr", "host"): 250 * MS,
            ("llm.prefill", "host"): 100 * MS,
            ("tts", "host"): 50 * MS,
        }
    assert all(len(server.peers) == 2 for server in servers.values()), "one to describe itself, one that was kept"


def test_connections_are_one_session_outside_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, servers = wyoming_run(tmp_path / "run", monkeypatch, {"asr": recogniser(closes=True)}, count=4)
    assert [turn.figures["first_packet_latency"] for turn in run.measured()] == [400 * MS] * 4
    assert run.turns[0].figures["session_setup"] == 3 * MS, "three servers, one after the other"
    assert [turn.figures["session_setup"] for turn in run.measured()] == [1 * MS] * 4, "the recogniser's alone"
    assert len(servers["asr"].peers) > 4


def test_phrases_are_spoken_while_the_agent_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaviours = {"llm": agent(pieces=("It is noon. ", "Time to eat."), answer_ms=100), "tts": voice(answer_ms=70)}
    run, _ = wyoming_run(tmp_path / "run", monkeypatch, behaviours)
    for turn in run.measured():
        assert turn.figures["first_packet_latency"] == (250 + 100 + 70) * MS
        # The second phrase is there 30 ms after the first packet, and spoken 70 ms later.
        assert turn.figures["generation_duration"] == (420 + 30 + 70) * MS
