"""The run's corpus, as far as it is still available: recordings of the questions, and reference answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.corpus.channels import Channel
from firstpacket.bench.corpus.load import find_source
from firstpacket.bench.corpus.sources import read_source
from firstpacket.bench.errors import BenchError, CorpusError
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.record.schema import UtteranceFacts
from firstpacket.bench.record.store import Run


@dataclass(frozen=True, slots=True)
class Recordings:
    """Files and reference answers of the clips that the run names; `problem` says why there are none."""

    files: Mapping[str, Path] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trim_to_s: float | None = None
    channel: Channel = "mix"
    problem: str = ""

    def heard(self, facts: UtteranceFacts) -> Samples:
        """What the user says, float32 `(n,)` at 16 kHz, up to the end of speech.

        Raises `CorpusError` if the recording is gone or has changed since the run, `MissingDependency`.
        """
        if facts.id not in self.files:
            raise CorpusError(f"the recording of '{facts.id}' is no longer in the corpus")
        clip = read_clip(self.files[facts.id], trim_to_s=self.trim_to_s, channel=self.channel)
        if clip.sha256 != facts.sha256:
            raise CorpusError(f"the recording of '{facts.id}' has changed since the run: its SHA-256 differs")
        return clip.samples[: round(facts.speech_end_ms * SAMPLE_RATE / 1000)]


def recordings(run: Run) -> Recordings:
    """The corpus that the run's manifest names, without decoding; clips with another text now are left out."""
    manifest = run.manifest
    asked = {facts.id: facts.text for facts in manifest.utterances}
    try:
        path = find_source(manifest.corpus_source)[1] if asked and manifest.corpus_source else None
        entries = read_source(path).entries if path is not None else ()
    except BenchError as error:
        return Recordings(problem=f"The run's corpus cannot be read, so the questions have no audio: {error}")
    same = [entry for entry in entries if entry.line.id in asked and entry.line.text == asked[entry.line.id]]
    files = {entry.line.id: entry.audio for entry in same}
    answers = {entry.line.id: entry.line.answers for entry in same}
    return Recordings(files, answers, manifest.options.trim_to, manifest.options.channel)
