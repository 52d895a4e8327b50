"""Runs whose turns are laid out by rule, with their evidence at hand: `STAGES` says how long each stage takes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from random import Random

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import (
    SCHEMA,
    Delivery,
    Evidence,
    LabelFacts,
    Manifest,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import Run
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, Text, TurnTrace
from support.stages import KINDS, stage

MS = 1_000_000
STAGES = {
    "cascade": (("asr", "listen", 180, False), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 210, True),
                ("tts", "speak", 150, False), ("copy", "move", 2, False)),
    "direct": (("encoder", "listen", 45, True), ("llm.prefill", "think", 60, True), ("llm.decode", "think", 70, True),
               ("vocoder", "speak", 30, True), ("copy", "move", 2, False)),
}  # fmt: skip
"""Per label: stage, role, ms it takes on a clip of factor 1, whether a GPU does the work."""


class MemoryRun(Run):
    """A run whose evidence is at hand instead of on disk."""

    def evidence(self, turn: Turn) -> Evidence:
        return EVIDENCE[self.manifest.run, turn.turn]


EVIDENCE: dict[tuple[str, int], Evidence] = {}


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
    turns: list[Turn] = []
    for block in range(-1, blocks):
        for clip in ids if block >= 0 else ids[:1]:
            for label in STAGES:
                turns.append(_turn(name, len(turns), block, label, clip, factors[clip] * random.gauss(1, 0.02), rename))
    plans = tuple(
        System(
            rename(label),
            label,
            "cuda",
            "bfloat16",
            {"chunk": 40},
            tuple(stage(s, r) for s, r, *_ in stages),
            kind=label,
        )
        for label, stages in STAGES.items()
    )
    facts = tuple(
        LabelFacts(rename(label), 4200 * MS, 1, (Weights("llm", origin, "hub/model", "8B"),)) for label in STAGES
    )
    environment = {"cpu": "Some CPU", "gpu0": "Some GPU", "os": "Linux", "python": "3.11.7", "governor": None}
    heard = tuple(
        UtteranceFacts(clip, "e" * 64, 2000.0, 1800.0, "annotated", rename(f"text of {clip}"), "CC-BY-4.0")
        for clip in ids
    )
    said = {"schema": SCHEMA, "run": name, "created": "2025-01-01T12:00:00Z",
            "command": ("bench", "run", "--seed", "1"),
            "input": "file", "t0": "end of speech, handed over at one instant", "turns": blocks * clips, "warmup": 1,
            "seed": 1, "deadline_ms": 10_000.0, "labels": plans, "corpus": "questions", "corpus_sha256": "ab" * 32,
            "utterances": heard, "notices": ()}  # fmt: skip
    manifest = Manifest(**{item.name: "" for item in fields(Manifest)} | said)
    segment = Segment(0, "2025-01-01T12:00:01Z", 0, 0, environment, {"numpy": "2.0"}, facts)
    return MemoryRun(Path("somewhere"), manifest, (segment,), tuple(turns))


def _turn(run: str, number: int, block: int, label: str, clip: str, factor: float, rename) -> Turn:
    """The evidence of a turn, and the turn with the figures that this evidence has."""
    t0_ns = (1 + number) * 10_000 * MS
    failed = number == 20
    trace = TurnTrace() if failed else trace_of(label, factor, t0_ns, rename(f"text of {clip}"))
    outcome = "timeout" if failed else "answered"
    levels = () if failed else (0.0,) * 3 + (0.1,) * 29
    seen = Evidence(
        number,
        outcome,
        trace,
        Delivery(t0_ns, t0_ns, t0_ns, (0,)),
        levels,
        label=rename(label),
        utterance=clip,
        kinds=KINDS,
    )
    EVIDENCE[run, number] = seen
    found = turn_figures(seen)
    return Turn(
        number, 0, max(block, 0), "measured" if block >= 0 else "cold", rename(label), clip, outcome, found.figures,
        found.path, found.path_error_ns, found.hidden, 0, 0, 0,
    )  # fmt: skip
