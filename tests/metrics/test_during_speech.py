"""Work before the end of speech: which work counts, and up to when."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.runs import MS, make_delivery, make_evidence

from firstpacket.bench.metrics.critical_path import critical_path
from firstpacket.bench.metrics.during_speech import during_speech, stage_of
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.timing.spans import GpuSpan, PacketStamp, StageSpan, TurnTrace
from firstpacket.bench.vocabulary import Flag, StageKind

SPEECH = make_delivery(1000 * MS, start_ns=0, last_frame_ns=1002 * MS)
KINDS: dict[str, StageKind] = {"endpoint": "endpoint", "llm.prefill": "llm"}


def heard(*spans: StageSpan, packet_ms: int = 1100) -> Evidence:
    """A turn with a second of speech; the packet comes from the thread of the last span."""
    packet = PacketStamp(packet_ms * MS, 160, 16_000, spans[-1].thread)
    return make_evidence(TurnTrace(spans, packets=(packet,)), delivery=SPEECH, kinds=KINDS)


def span(stage: str, start_ms: float, end_ms: float, thread: int = 1, **changes: object) -> StageSpan:
    return replace(StageSpan(stage, thread, round(start_ms * MS), round(end_ms * MS)), **changes)


def test_repeated_spans_add_up_and_what_follows_the_end_of_speech_does_not_count() -> None:
    found = during_speech(
        heard(
            *(span(stage, at + begin, at + end) for at in (500, 990) for stage, begin, end in
              (("encoder", 0, 8), ("llm.prefill", 8, 14))),
            span("encoder", 1002, 1020),
        )
    )  # fmt: skip
    assert found == {
        "work_during_speech": 24 * MS,
        "stage.encoder.during_speech": 16 * MS,
        "stage.llm.prefill.during_speech": 8 * MS,
    }


def test_threads_at_work_at_once_count_once_in_the_total_and_the_gpu_counts() -> None:
    later = GpuSpan(7, 105 * MS, 130 * MS, 0)
    found = during_speech(heard(span("asr", 100, 120), span("encoder", 100, 110, thread=2, gpu=later)))
    assert found == {
        "work_during_speech": 30 * MS,
        "stage.asr.during_speech": 20 * MS,
        "stage.encoder.during_speech": 30 * MS,
    }


def test_waits_and_looking_for_the_end_of_speech_are_no_work() -> None:
    waited = span("asr", 100, 900, released_by=3)
    assert during_speech(heard(span("endpoint", 0, 1000, thread=2), waited)) == {"work_during_speech": 0}


def test_with_file_input_there_is_no_such_figure() -> None:
    at_once = replace(heard(span("encoder", 0, 10)), delivery=make_delivery(1000 * MS))
    assert during_speech(at_once) == {}


def test_a_turn_left_at_its_first_packet_has_the_figures() -> None:
    left = replace(heard(span("encoder", 500, 510), span("encoder", 1002, 1020)), flags=(Flag.LEFT_EARLY,))
    found = turn_figures(left).figures
    assert found["work_during_speech"] == found["stage.encoder.during_speech"] == 10 * MS
    assert "stage.encoder.host" not in found


def test_the_start_of_the_language_model_is_its_first_span() -> None:
    listening = heard(span("encoder", 400, 410), span("llm.prefill", 410, 420), span("llm.prefill", 1010, 1020))
    assert turn_figures(listening).figures["llm_start"] == -590 * MS


def test_only_names_of_such_figures_name_a_stage() -> None:
    names = ("stage.llm.prefill.during_speech", "stage.llm.prefill.host", "work_during_speech")
    assert [stage_of(name) for name in names] == ["llm.prefill", None, None]


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=12),
    st.integers(0, 4000),
    st.integers(1, 50),
)
def test_every_moment_of_work_is_during_speech_or_on_the_path(
    blocks: list[tuple[int, int]], t0_ms: int, last_ms: int
) -> None:
    """One thread that works block by block and waits in between; t0 falls anywhere, also into a block."""
    spans, now = [], 0
    for waits_ms, works_ms in blocks:
        now += waits_ms
        spans.append(span("encoder", now, now + works_ms))
        now += works_ms
    now = max(now, t0_ms)
    spans.append(span("vocoder", now, now + last_ms))
    evidence = replace(
        heard(*spans, packet_ms=now + last_ms), delivery=make_delivery(t0_ms * MS, start_ns=-MS, last_frame_ns=t0_ms)
    )
    path = critical_path(evidence.trace, t0_ms * MS)
    assert sum(part.ns for part in path) == (now + last_ms - t0_ms) * MS
    worked = sum(part.ns for part in path if part.kind == "host")
    assert during_speech(evidence)["work_during_speech"] + worked == sum(e.end_ns - e.start_ns for e in spans)
    late = [e for e in spans if e.start_ns < t0_ms * MS < e.end_ns]
    assert [(part.stage, part.start_ns, part.end_ns) for part in path[:1] if late] == [
        ("encoder", t0_ms * MS, e.end_ns) for e in late
    ]
