"""`RUN/quality.jsonl`: results of recognisers and scorers for a run's saved replies, written after the run.

Every line is self-contained: it names its judge, and refers to its turn by the checksum of the turn's evidence and to
the audio by its SHA-256. Lines are never changed; of several by one judge on one reply, the last one counts. Turns do
not depend on this file: it can be deleted and made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from firstpacket.bench.errors import RunError
from firstpacket.bench.format import counted
from firstpacket.bench.pipeline import OptionValue, Weights
from firstpacket.bench.quality import sound, wer
from firstpacket.bench.quality.sound import Sound
from firstpacket.bench.record.store import Run, read_lines

QUALITY = "quality.jsonl"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Judge:
    """A recogniser or scorer, with its options, packages and weights. As text, it is for people."""

    name: str
    options: dict[str, OptionValue] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    weights: tuple[Weights, ...] = ()

    def __str__(self) -> str:
        weights = ", ".join(dict.fromkeys(each.source for each in self.weights))
        return " ".join(filter(None, (self.name, self.packages.get(self.name), f"({weights})" if weights else "")))


@dataclass(frozen=True, slots=True)
class Reply:
    """The saved reply that a line is about."""

    turn: int
    label: str
    evidence_crc32: int
    audio_sha256: str


@dataclass(frozen=True, slots=True)
class HeardReply:
    """A reply as a recogniser transcribed it: `edits` per `words`, by the rules of version `normalisation`."""

    schema: int
    kind: Literal["reply"]
    reply: Reply
    judge: Judge
    transcript: str
    edits: int
    words: int
    normalisation: int


@dataclass(frozen=True, slots=True)
class HeardClip:
    """A clip of the corpus as a recogniser transcribed it: the recogniser's own errors."""

    schema: int
    kind: Literal["clip"]
    clip: str
    audio_sha256: str
    judge: Judge
    transcript: str
    edits: int
    words: int
    normalisation: int


@dataclass(frozen=True, slots=True)
class ReplySound:
    """Figures of a reply's samples, by the definitions of `version`."""

    schema: int
    kind: Literal["sound"]
    reply: Reply
    sound: Sound
    version: int


@dataclass(frozen=True, slots=True)
class ScoredReply:
    """A scorer's value for a reply, and the ends of its scale."""

    schema: int
    kind: Literal["score"]
    reply: Reply
    judge: Judge
    score: float
    least: float
    most: float


Line = HeardReply | HeardClip | ReplySound | ScoredReply


@dataclass(frozen=True, slots=True)
class Judged:
    """The lines that count, in file order, and notices about the others."""

    lines: tuple[Line, ...] = ()
    notices: tuple[str, ...] = ()


def read_quality(run: Run) -> Judged:
    """The results saved with a run. Raises `RunError` if they are damaged or from a newer version."""
    file = run.path / QUALITY
    try:
        lines, torn = read_lines(file, cast(type[Line], Line))
    except RunError as error:
        raise RunError(f"{error} Remove {file}, and run `bench quality` again.") from error
    _check(lines, file)
    crc32 = {(turn.turn, turn.label): turn.evidence_crc32 for turn in run.turns}
    clips = {clip.id: clip.sha256 for clip in run.manifest.utterances}

    def belongs(line: Line) -> bool:
        if isinstance(line, HeardClip):
            return clips.get(line.clip) == line.audio_sha256 and is_current(line)
        return crc32.get((line.reply.turn, line.reply.label)) == line.reply.evidence_crc32 and is_current(line)

    latest: dict[tuple[object, ...], Line] = {}
    strangers = 0
    for line in lines:
        if belongs(line):
            about = place(line)
            latest.pop(about, None)
            latest[about] = line
        else:
            strangers += 1
    notices = (
        [f"{QUALITY}: ignored {counted(strangers, 'line')} of another run or of other definitions."]
        if strangers
        else []
    )
    if torn:
        notices.append(f"The last line of {QUALITY} is torn: `bench quality` goes on where it was stopped.")
    return Judged(tuple(latest.values()), tuple(notices))


def place(line: Line) -> tuple[object, ...]:
    """The key of a line: a later line with the same key replaces an earlier one."""
    subject = line.clip if isinstance(line, HeardClip) else line.reply.turn
    return place_of(line.kind, None if isinstance(line, ReplySound) else line.judge, subject)


def place_of(kind: str, judge: Judge | None, subject: int | str) -> tuple[object, ...]:
    """The key of a line that is yet to be written; `subject` is a turn or a clip."""
    return kind, repr(judge), subject


def audio_sha256(line: Line) -> str:
    """Hash of the recording that a line is about."""
    return line.audio_sha256 if isinstance(line, HeardClip) else line.reply.audio_sha256


def is_current(line: Line) -> bool:
    """Whether the line follows the current definitions."""
    if isinstance(line, ReplySound):
        return line.version == sound.VERSION
    return isinstance(line, ScoredReply) or line.normalisation == wer.VERSION


def _check(lines: Iterable[Line], file: Path) -> None:
    """Raises `RunError` for values that cannot have been measured."""
    for number, line in enumerate(lines, start=1):
        if line.schema > SCHEMA:
            raise RunError(f"{file} was written by a newer version (schema {line.schema}). Upgrade firstpacket.")
        if not _plausible(line):
            raise RunError(f"{file}, line {number}: nobody can have measured this. Remove the file, and run it again.")


def _plausible(line: Line) -> bool:
    if isinstance(line, ReplySound):
        seen = line.sound
        return seen.rate > 0 and seen.samples > 0 and 0 <= seen.clipped_share <= 1 and abs(seen.offset) <= seen.peak
    if isinstance(line, ScoredReply):
        return line.least <= line.score <= line.most
    return line.words >= 0 and line.edits >= 0 and (line.edits == 0 or len(line.transcript) + line.words > 0)
