"""Runs whose turns are laid out by rule, with their evidence at hand: `STAGES` says how long each stage takes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import Evidence, System
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, Text, TurnTrace
from support.runs import (
    MS,
    MemoryRun,
    make_delivery,
    make_evidence,
    make_run,
    make_system,
    make_utterance_facts,
    turn_from,
)
from support.stages import KINDS, stage

STAGES = {
    "cascade": (("asr", "listen", 180, False), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 210, True),
                ("tts", "speak", 150, False), ("copy", "move", 2, False)),
    "direct": (("encoder", "listen", 45, True), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 70, True),
               ("vocoder", "speak", 30, True), ("copy", "move", 2, False)),
}  # fmt: skip
"""Per label: stage, role, ms it takes on a clip of factor 1, whether a GPU does the work."""


def trace_of(label: str, factor: float, t0_ns: int, said: str) -> TurnTrace:
    """Stages one after the other from t0 on, each with a hand-off to the next; four packets 80 ms apart."""
    spans, hand_offs, waits, now = [], [], [], t0_ns
    for name, _, ms, on_gpu in STAGES[label]:
        start, now = now, now + round(ms * factor * MS)
        gpu = GpuSpan(7, start + MS // 2, now - MS // 4, 4000) if on_gpu else None
        after = hand_offs[-1].id if hand_offs else None
        spans.append(StageSpan(name, 1, start, now, after, now if name == "llm.prefill" else None, gpu))
        if on_gpu:
            waits.append(DeviceWait(1, start + round(0.3 * ms * MS), now))
        hand_offs.append(HandOff(len(hand_offs), name, 1, now))
    last = hand_offs[-1].id
    packets = tuple(PacketStamp(now + step * 80 * MS, 1920, 24000, 1, last if step == 0 else None) for step in range(4))
    texts = (Text("transcript", said), Text("reply", f"You said: {said}"))
    return TurnTrace(tuple(spans), tuple(hand_offs), tuple(waits), texts=texts, packets=packets, events=12)


def sample_run(name="sample", blocks=1, clips=24, origin="published", rename=lambda text: text, seed=1) -> MemoryRun:
    random = Random(seed)
    ids = [rename(f"clip-{clip:02}") for clip in range(clips)]
    factors = {clip: random.uniform(0.8, 1.3) for clip in ids}
    asked = [
        (block, clip, label)
        for block in range(-1, blocks)
        for clip in (ids if block >= 0 else ids[:1])
        for label in STAGES
    ]
    seen = [
        _evidence(number, label, clip, factors[clip] * random.gauss(1, 0.02), rename)
        for number, (_, clip, label) in enumerate(asked)
    ]
    run = make_run(
        [
            turn_from(each, phase="measured" if block >= 0 else "cold", block=max(block, 0))
            for each, (block, _, _) in zip(seen, asked, strict=True)
        ],
        run=name,
        created="2025-01-01T12:00:00Z",
        command=("bench", "run", "--seed", "1"),
        turns=blocks * clips,
        seed=1,
        labels=tuple(_system(label, rename) for label in STAGES),
        corpus="questions",
        utterances=tuple(
            replace(facts, id=clip, text=rename(f"text of {clip}"))
            for facts, clip in zip(make_utterance_facts(clips, licence="CC-BY-4.0"), ids, strict=True)
        ),
        facts={"weights": (Weights("llm", origin, "hub/model", "8B"),)},
        environment={"gpu0": "Some GPU", "governor": None},
        segment={"packages": {"numpy": "2.0"}},
    )
    given = {each.turn: each for each in seen}
    return MemoryRun(run.path, run.manifest, run.segments, run.turns, given=given)


def _system(label: str, rename) -> System:
    stages = tuple(stage(name, role) for name, role, *_ in STAGES[label])
    usual = {"pipeline": label, "device": "cuda", "dtype": "bfloat16", "options": {"chunk": 40}}
    return make_system(rename(label), **usual, stages=stages, kind=label)


def _evidence(number: int, label: str, clip: str, factor: float, rename) -> Evidence:
    t0_ns = (1 + number) * 10_000 * MS
    usual = {
        "turn": number,
        "label": rename(label),
        "utterance": clip,
        "delivery": make_delivery(t0_ns),
        "kinds": KINDS,
    }
    if number == 20:
        return make_evidence(outcome="timeout", **usual)
    trace = trace_of(label, factor, t0_ns, rename(f"text of {clip}"))
    return make_evidence(trace, reply_levels=(0.0,) * 3 + (0.1,) * 29, **usual)
