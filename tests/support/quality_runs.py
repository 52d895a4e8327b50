"""A run whose replies are known: speech that says its text, and noise that says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.audible import reply_levels
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.pipeline import Samples, Weights
from firstpacket.bench.quality.record import QUALITY, Judge, Line, Reply
from firstpacket.bench.record.schema import Delivery, Evidence, LabelFacts, Outcome, System, Turn
from firstpacket.bench.record.store import RunWriter, to_line
from firstpacket.bench.timing.spans import PacketStamp, Text, TurnTrace
from support import made

RATE = 16_000
MS = 1_000_000
SPEECH, NOISE, SILENCE = "speech", "noise", "silence"
JUDGE = Judge("ears", {"asr-fast": False}, {"ears": "1"}, (Weights("asr", "bundled", "ears en"),))


def demo_clips(count: int) -> tuple[Utterance, ...]:
    return load_corpus("demo", limit=count).utterances


def replies_of(kind: str, clip: Utterance) -> Samples:
    """Says back what was asked; or as long a stretch of noise or of nothing."""
    noise = np.random.default_rng(len(clip.samples)).standard_normal(len(clip.samples))
    sound = {SPEECH: clip.samples, NOISE: 0.1 * noise, SILENCE: 0 * clip.samples}[kind]
    return np.clip(sound, -1, 1).astype(np.float32)


def known_run(
    path: Path,
    clips: tuple[Utterance, ...],
    labels: dict[str, str] | None = None,
    transcript: str | None = "{}",
    says: str = "{}",
    **changes: Any,
) -> Path:
    """One measured turn per clip and label; `labels` say what kind each label's replies are.

    `transcript` and `says` are forms of the clip's text; None means that the pipeline gives no transcript.
    """
    kinds = labels or {"good": SPEECH, "noise": NOISE}
    manifest = made.manifest({}, clips, corpus_source="demo", limit=len(clips), **changes)
    plans = tuple(System(label, "scripted", "cpu", "float32", {}, ()) for label in kinds)
    with RunWriter.create(path, replace(manifest, labels=plans)) as writer:
        writer.segment(made.segment(0, tuple(LabelFacts(label, 1, 1, ()) for label in kinds)))
        (path / "audio").mkdir()
        number = 0
        for clip in clips:
            for label, kind in kinds.items():
                number += 1
                writer.turn(_turn(writer, number, label, clip, replies_of(kind, clip), transcript, says))
    return path


def _turn(
    writer: RunWriter, number: int, label: str, clip: Utterance, reply: Samples, transcript: str | None, says: str
) -> Turn:
    texts = [Text("reply", says.format(clip.text))]
    texts += [Text("transcript", transcript.format(clip.text))] if transcript is not None else []
    trace = TurnTrace(texts=tuple(texts), packets=(PacketStamp(100 * MS, len(reply), RATE, 1),))
    audio = f"audio/turn-{number:06d}.flac"
    soundfile.write(writer.path / audio, reply, RATE, subtype="PCM_16")
    levels = reply_levels([(reply, RATE)])
    outcome: Outcome = "answered" if max(levels) > 0 else "silent"
    delivery = Delivery(0, 0, 0, (0,))
    evidence = Evidence(number, outcome, trace, delivery, levels, audio, label=label, utterance=clip.id)
    found = turn_figures(evidence, clip.text, clip.answers)
    at, size, crc32 = writer.evidence(evidence)
    return Turn(
        number, 0, 0, "measured", label, clip.id, outcome, found.figures, found.path, found.path_error_ns,
        found.hidden, at, size, crc32,
    )  # fmt: skip


def reply_of(turn: Turn, audio_sha256: str = "0" * 64) -> Reply:
    return Reply(turn.turn, turn.label, turn.evidence_crc32, audio_sha256)


def write_lines(path: Path, *lines: Line) -> None:
    """Append lines to the run's quality.jsonl."""
    with (path / QUALITY).open("ab") as file:
        file.writelines(map(to_line, lines))
