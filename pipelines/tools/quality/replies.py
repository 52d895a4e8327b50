"""The kept replies of a run: found, checked, decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.corpus import decoders
from firstpacket.bench.errors import BenchError, CorpusError, RunError
from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.quality.record import Reply
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run

AUDIO = "audio"
LONGEST_S = 600
"""Maximum length of a reply in seconds; longer files are rejected."""


@dataclass(frozen=True, slots=True)
class KeptReply:
    """One reply whose audio is there."""

    reply: Reply
    clip: str
    text: str
    """What the reply was to say; empty where the pipeline gave no text."""
    audio: Path

    def samples(self) -> tuple[Samples, int]:
        """Mono float32 `(n,)` and its rate in Hz. Raises `CorpusError` for what is no sound."""
        header = decoders.probe(self.audio)
        if header.sample_rate < 1 or header.frames < 1:
            raise CorpusError(f"{self.audio} contains no samples.")
        block = decoders.read(header, min(header.frames, LONGEST_S * header.sample_rate))
        return block.mean(axis=1), header.sample_rate


def kept_replies(run: Run, problems: list[str]) -> Iterator[KeptReply]:
    """Replies of measured turns that gave packets; what is wrong with others is added to `problems`."""
    for turn in run.turns:
        if turn.phase != "measured" or turn.outcome not in ("answered", "silent"):
            continue
        try:
            yield _kept(run, turn)
        except BenchError as error:
            problems.append(str(error))


def _kept(run: Run, turn: Turn) -> KeptReply:
    evidence = run.evidence(turn)
    if not evidence.audio:
        raise RunError(f"turn {turn.turn} ({turn.label}): its reply was not recorded")
    # Use only the file name: the records of a foreign run may point anywhere.
    audio = run.path / AUDIO / Path(evidence.audio).name
    try:
        if audio.is_symlink():
            raise RunError(f"turn {turn.turn} ({turn.label}): {audio} is a symbolic link, which is not followed")
        with audio.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"turn {turn.turn} ({turn.label}): {audio} cannot be read ({error.strerror})") from error
    reply = Reply(turn.turn, turn.label, turn.evidence_crc32, sha256)
    return KeptReply(reply, turn.utterance, reply_text(evidence.trace), audio)
