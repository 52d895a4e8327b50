"""The whole harness on virtual time: reported figures equal the script's exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.runs import make_segment
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest, virtual_run

from firstpacket.bench.record.store import read_run

MS = 1_000_000
CASCADE = (
    "hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send"
    " | take; tts 10; packet 20; take; tts 10; packet 300"
)


@pytest.mark.parametrize("input", ["file", "realtime"])
def test_a_streamed_cascade_is_reported_as_written(tmp_path: Path, input: str) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"cascade": CASCADE}, input=input))  # type: ignore[arg-type]
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    assert len(measured) == 3
    for turn in measured:
        assert turn.outcome == "answered"
        assert turn.figures["first_packet_latency"] == 100 * MS
        assert turn.figures["llm_ttft"] == 20 * MS
        assert turn.figures["llm_first_token_latency"] == 60 * MS
        assert turn.figures["asr_final_latency"] == 40 * MS
        assert turn.figures["stage.llm.decode.host"] == 80 * MS
        assert {(part.stage, part.kind): part.ns for part in turn.path} == {
            ("asr", "host"): 40 * MS,
            ("llm.prefill", "host"): 20 * MS,
            ("llm.decode", "host"): 30 * MS,
            ("tts", "host"): 10 * MS,
        }
        assert turn.hidden == {"llm.decode": 10 * MS}
        # The second packet comes 50 ms after the first, which held 20 ms of audio.
        assert turn.figures["stall_total"] == 30 * MS
        assert turn.figures["gapless_first_audio"] == 130 * MS
        assert turn.figures["reply_audio"] == 320 * MS
        assert turn.figures["generation_duration"] == 150 * MS
        assert turn.figures["turn_duration"] == 450 * MS
        assert turn.figures["rtf_e2e"] == 150 / 320
        assert turn.figures["rtf_steady"] == 50 / 300


def test_silence_before_the_answer_is_seen(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 10; silence 100; packet 200"}))
    turn = run.turns[-1]
    assert turn.figures["first_packet_latency"] == 10 * MS
    assert turn.figures["leading_silence"] == 100 * MS
    assert turn.figures["response_latency"] == 110 * MS


def test_an_answer_before_the_end_of_speech_keeps_its_sign(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "tts 50; packet 100"}, input="realtime"))
    turn = run.turns[-1]
    assert turn.figures["first_packet_latency"] == 50 * MS - 200 * MS - 2 * MS
    assert turn.path == ()


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        ("hear; tts 5; silence 300", "silent", ""),
        ("hear; tts 5", "silent", ""),
        ("hear; raise", "failed", "RuntimeError: raised by the script"),
        ("hear; tts 9000; packet 100", "timeout", "no packet by the deadline"),
    ],
)
def test_every_turn_ends_in_one_outcome(tmp_path: Path, script: str, outcome: str, reason: str) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": script}))
    assert {turn.outcome for turn in run.turns} == {outcome}
    assert {turn.reason for turn in run.turns} == {reason}
    assert len(run.turns) == 5


def test_figures_are_derived_again_from_the_evidence(tmp_path: Path) -> None:
    from firstpacket.bench.metrics.figures import turn_figures

    run = read_run(virtual_run(tmp_path / "run", {"cascade": CASCADE}))
    for turn in run.turns:
        again = turn_figures(run.evidence(turn))
        assert (again.figures, again.path, again.hidden) == (turn.figures, turn.path, turn.hidden)


def test_realtime_frames_come_when_they_have_been_spoken(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 5; packet 100"}, input="realtime"))
    delivery = run.evidence(run.turns[-1]).delivery
    assert len(delivery.lateness_ns) == 10
    assert set(delivery.lateness_ns) == {0}
    assert delivery.last_frame_ns == delivery.t0_ns == delivery.start_ns + 200 * MS


def test_a_segment_without_turns_is_recorded(tmp_path: Path) -> None:

    from firstpacket.bench.record.store import RunWriter
    from firstpacket.bench.run.in_process import InProcessExecutor
    from firstpacket.bench.run.manager import Manager
    from firstpacket.bench.timing.clock import VirtualClock

    clips = make_utterances(1)
    what = scripted_manifest({"a": "hear; tts 5; packet 100"}, clips)
    path = tmp_path / "run"
    with RunWriter.create(path, what) as writer:
        writer.segment(make_segment(0, ()))
    with RunWriter.resume(path) as writer:
        executor = InProcessExecutor(make_scripted("a", "hear; tts 5; packet 100"), VirtualClock())
        Manager(what, writer, {"a": executor}, clips, NoProgress()).run((), make_segment, len(read_run(path).segments))
    assert [each.segment for each in read_run(path).segments] == [0, 1]
    assert {turn.segment for turn in read_run(path).turns} == {1}
