"""The engines `asr=wyoming` and `tts=wyoming` in a run, with servers that nobody here wrote."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from real_servers.clip import is_recognised, samples
from real_servers.process import HOST, Server
from scipy.io import wavfile
from support.command import bench

from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.bench.record.store import read_run

pytestmark = pytest.mark.real_server
MS = 1_000_000


def test_a_home_assistant_chain_is_measured(tmp_path: Path, faster_whisper: Server, piper: Server) -> None:
    """It loads a language model, and plays five turns in real time."""
    chain = (
        f"home=cascade,asr=wyoming,asr-uri=tcp://{HOST}:{faster_whisper.port},"
        f"tts=wyoming,tts-uri=tcp://{HOST}:{piper.port}"
    )
    path, clips = tmp_path / "run", tmp_path / "clips"
    clips.mkdir()
    wavfile.write(clips / "capital.wav", SAMPLE_RATE, samples())
    length = ("--turns", "3", "--warmup", "1", "--no-report")
    done = bench("run", "-p", chain, "--corpus", clips, "--input", "realtime", *length, "--out", path)
    assert done.returncode == 0, done.stderr
    run = read_run(path)
    turns = run.measured()
    assert [(turn.outcome, turn.reason) for turn in turns] == [("answered", "")] * 3
    facts = run.segments[0].labels[0].facts
    assert (facts["asr_server"], facts["asr_server_version"]) == ("faster-whisper", "3.8.1")
    assert (facts["tts_server"], facts["tts_server_version"]) == ("piper", "2.5.2")
    assert (facts["asr_streams"], facts["tts_text"]) == (False, "in parts")
    heard = [each.text for turn in turns for each in run.evidence(turn).trace.texts if each.kind == "transcript"]
    assert all(map(is_recognised, heard)), heard
    for turn in turns:
        trace = run.evidence(turn).trace
        types = [message.type for message in trace.messages]
        assert trace.session is not None, "the recogniser closes its connection after every transcript"
        assert not trace.session.renewed and not trace.marks
        stop = next(message for message in trace.messages if message.type == "audio-stop" and message.sent)
        transcript = next(message for message in trace.messages if message.type == "transcript")
        assert types.index("audio-stop") < types.index("transcript") < types.index("synthesize")
        wait_ns = transcript.at_ns - stop.done_ns
        assert abs(turn.figures["asr_final_latency"] - wait_ns) < 50 * MS, "the wait, and nothing that came before it"
        sent = sum(message.audio_bytes for message in trace.messages if message.sent)
        assert sent / 2 / SAMPLE_RATE == pytest.approx(run.manifest.utterances[0].speech_end_ms / 1000, abs=0.03)
        assert sum(packet.samples for packet in trace.packets) > 2000
        assert {packet.sample_rate for packet in trace.packets} == {22_050}


def test_a_server_that_is_none_of_wyoming(tmp_path: Path) -> None:
    """Something listens there, and says nothing."""
    with socket.create_server((HOST, 0)) as silent:
        uri = f"tcp://{HOST}:{silent.getsockname()[1]}"
        done = bench("run", "-p", f"cascade,asr=wyoming,asr-uri={uri},asr-timeout=0.5", "--out", tmp_path / "run")
    assert done.returncode != 0
    assert f"The server {uri}: it did not describe itself within 0.5 s" in done.stderr
