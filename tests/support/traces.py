"""Traces that make no promise: whatever may stand in a run folder, drawn by hypothesis, and runs that hold one."""

from __future__ import annotations

from hypothesis import strategies as st

from firstpacket.bench.analysis.turn_trace import OneTurn, one_turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, Mark, PacketStamp, StageSpan, Text, TurnTrace
from support.runs import MemoryRun, make_delivery, make_evidence

STAGES = ("asr", "llm.prefill", "tts")
_MOMENT = st.integers(0, 40)
_THREAD = st.integers(0, 2)
_HAND_OFF = st.none() | st.integers(0, 6)


def turn_of(run: Run, trace: TurnTrace, t0_ns: int = 0, pre_roll_ns: int = 0) -> OneTurn:
    """The first turn of a run, with another trace."""
    turn = run.turns[0]
    given = make_evidence(
        trace,
        turn=turn.turn,
        label=turn.label,
        utterance=turn.utterance,
        outcome=turn.outcome,
        delivery=make_delivery(t0_ns),
        pre_roll=pre_roll_ns / 1e6,
    )
    whole = MemoryRun(run.path, run.manifest, run.segments, run.turns, given={turn.turn: given})
    return one_turn(whole, turn.turn)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[int, int]:
    start_ns, length_ns = draw(_MOMENT), draw(st.integers(0, 20))
    return start_ns, start_ns + length_ns


@st.composite
def spans(draw: st.DrawFn) -> StageSpan:
    start_ns, end_ns = draw(stretches())
    gpu = GpuSpan(draw(st.integers(0, 1)), *draw(stretches()), 3) if draw(st.booleans()) else None
    first = draw(st.none() | _MOMENT)
    stage, thread = draw(st.sampled_from(STAGES)), draw(_THREAD)
    return StageSpan(stage, thread, start_ns, end_ns, draw(_HAND_OFF), first, gpu, draw(_HAND_OFF))


@st.composite
def traces(draw: st.DrawFn) -> TurnTrace:
    """Stages that overlap, hand-offs from nowhere, waits that end each other: in few moments, so that many coincide."""
    ids = draw(st.lists(st.integers(0, 5), unique=True))
    hand_offs = [HandOff(each, draw(st.sampled_from(STAGES)), draw(_THREAD), draw(_MOMENT)) for each in ids]
    arrivals = sorted(draw(st.lists(_MOMENT, max_size=4)))
    return TurnTrace(
        spans=tuple(draw(st.lists(spans(), max_size=8))),
        hand_offs=tuple(hand_offs),
        waits=tuple(DeviceWait(draw(_THREAD), *each) for each in draw(st.lists(stretches(), max_size=3))),
        marks=tuple(Mark("endpoint", at_ns) for at_ns in draw(st.lists(_MOMENT, max_size=2))),
        texts=tuple(Text("partial", "who \ud800 knows", at_ns) for at_ns in draw(st.lists(_MOMENT, max_size=2))),
        packets=tuple(
            PacketStamp(at_ns, draw(st.integers(1, 20)), 1_000_000_000, 0, draw(_HAND_OFF)) for at_ns in arrivals
        ),
    )
