"""A run whose turns ended after their first packet: what needs whole replies is absent, never zero or silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.virtual import virtual_run

from firstpacket.bench import notices
from firstpacket.bench.analysis.document import contents
from firstpacket.bench.compare.within import compare_moments
from firstpacket.bench.export.formats import FORMATS, exported
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.markdown import render_markdown
from firstpacket.bench.vocabulary import Flag

SCRIPTS = {
    "quick": "hear; asr 40; llm.prefill 20 token; tts 10; silence 100; packet 200",
    "slow": "hear; encoder 90; llm.prefill 20 token; vocoder 10; silence 100; packet 200",
}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("left") / "run"
    return read_run(virtual_run(path, SCRIPTS, count=8, leave_after="first_packet"))


def test_the_answer_is_about_the_first_packet_alone(left: Run) -> None:
    (packet,), audible = compare_moments(left)
    assert (packet.pairs, audible) == (8, ())
    assert contents(left).answer.headlines == (
        "slow sends its first packet 50.0 ms later than quick (95 % CI 50.0 to 50.0 ms, 8 pairs on 8 clips)",
    )


def test_whether_replies_were_audible_is_unknown(left: Run) -> None:
    found = contents(left)
    for label in found.summary.labels:
        audible = label.figures["response_latency"]
        assert (label.audible_share, audible.p50, audible.counting_all) == (None, None, {})
        assert label.outcomes["measured"]["answered"] == 8
        assert label.figures["first_packet_latency"].counting_all
        assert label.flags == {Flag.LEFT_EARLY: 8}
        quality = label.quality
        reasons = {quality.reply.reason, quality.transcript.reason}
        assert reasons == {"turns ended after their first packet"}
    assert found.latency_shares.labels == {"quick": {}, "slow": {}}
    assert not [said for said in found.answer.notices if "silent" in said]
    assert sum("--leave-after" in said for said in found.answer.notices) == 1


def test_a_system_alone_is_not_said_to_be_silent(tmp_path: Path) -> None:
    path = virtual_run(tmp_path / "run", {"quick": SCRIPTS["quick"]}, count=8, leave_after="first_packet")
    (headline,) = contents(read_run(path)).answer.headlines
    assert headline == (
        "quick sends its first packet after 70.0 ms (95 % CI 70.0 to 70.0 ms): medians of 8 turns on 8 clips"
    )


def test_reports_leave_out_what_needs_whole_replies(left: Run) -> None:
    for text in (render_markdown([left]), render_report([left])):
        assert "turns ended after their first packet" in text
        assert "once their first packet has come" in text
        assert "Playback without gaps" not in text
        assert "nothing audible" not in text
        assert "never stalled" not in text


@pytest.mark.parametrize("form", FORMATS)
def test_every_export_can_be_written(left: Run, form: str) -> None:
    assert exported(left, form)


def test_servers_are_said_to_be_connected_to_anew(left: Run) -> None:
    assert [notice.subject for notice in notices.of_turns_ended_early(left)] == ["turns"]
    served = tuple(replace(turn, figures={**turn.figures, "llm_ttfb": 1}) for turn in left.turns)
    subjects = [notice.subject for notice in notices.of_turns_ended_early(replace(left, turns=served))]
    assert subjects == ["turns", "server"]


def test_the_next_step_fits_a_run_and_a_gate(left: Run) -> None:
    in_a_gate = replace(left, manifest=replace(left.manifest, replicated=True))
    (of_run,), (of_gate,) = map(notices.of_turns_ended_early, (left, in_a_gate))
    assert "without the option" in of_run.text and "its limits" not in of_run.text
    assert "its limits" in of_gate.text and "without the option" not in of_gate.text
