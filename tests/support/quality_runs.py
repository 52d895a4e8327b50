"""A run whose replies are known: speech that says its text, and noise that says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.audible_onset import reply_levels
from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.pipeline import Samples, Weights
from firstpacket.bench.quality.record import QUALITY, Judge, Line, Reply
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import RunWriter, to_line
from firstpacket.bench.timing.spans import PacketStamp, Text, TurnTrace
from firstpacket.bench.vocabulary import Outcome
from support.runs import make_evidence, make_facts, make_segment, make_system, turn_from
from support.virtual import scripted_manifest

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
    systems = tuple(make_system(label, stages=()) for label in kinds)
    manifest = scripted_manifest({}, clips, corpus_source="demo", limit=len(clips), labels=systems, **changes)
    with RunWriter.create(path, manifest) as writer:
        writer.segment(make_segment(0, tuple(make_facts(label, weights=()) for label in kinds), metrics=versions()))
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
    evidence = make_evidence(
        trace, turn=number, label=label, utterance=clip.id, outcome=outcome, reply_levels=levels, audio=audio, kinds={}
    )
    at, size, crc32 = writer.evidence(evidence)
    kept = {"evidence_at": at, "evidence_bytes": size, "evidence_crc32": crc32}
    return turn_from(evidence, clip, **kept)


def reply_of(turn: Turn, audio_sha256: str = "0" * 64) -> Reply:
    return Reply(turn.turn, turn.label, turn.evidence_crc32, audio_sha256)


def write_lines(path: Path, *lines: Line) -> None:
    """Append lines to the run's quality.jsonl."""
    with (path / QUALITY).open("ab") as file:
        file.writelines(map(to_line, lines))
