"""Copies a run without its texts and its audio."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.format import counted
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import OptionValue, Weights
from firstpacket.bench.quality.record import QUALITY, HeardClip, HeardReply, Line, read_quality
from firstpacket.bench.record.schema import (
    SCHEMA,
    Evidence,
    LabelFacts,
    Manifest,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import Run, RunWriter, to_line
from firstpacket.bench.redact.messages import redacted_json, redacted_message
from firstpacket.bench.redact.texts import (
    PLACEHOLDER,
    Names,
    checksum,
    is_prompt,
    numbered_clips,
    numbered_hosts,
    without_words,
)

T = TypeVar("T")
REMOVED = (
    "transcripts, replies and all other texts of the turns; texts within messages",
    "texts and right answers of the corpus, speakers and dialogues",
    "audio of replies (`audio/`) and logs of the workers",
    "options of several words, such as prompts, and the command",
    "hosts of addresses other than this machine's, user names in paths, names of other processes",
)
"""What the copy lacks, for people: each text is a placeholder, `redacted`, for every word."""
REMAINS = (
    "every time and size: of stages, packets, messages; and figures from texts, such as word error rates, as stored",
    "loudness of the replies in windows of 10 ms, and how many words texts had",
    "types and ids of messages, numbers in them, model and voice; why turns have no answer",
    "options of one word, with the path of addresses; models, packages, the machine and its versions",
    "checksums of prompts, and of the recordings with their lengths: those who have the same can recognise them",
)
CLIP_NAMES = "names of the clips (leave them out with --clip-names)"


@dataclass(frozen=True, slots=True)
class Redacted:
    """The result: the folder of the copy, and what it does and does not contain, for people."""

    path: Path
    removed: tuple[str, ...]
    remains: tuple[str, ...]
    notices: tuple[str, ...] = ()


def redact(run: Run, out: Path, clip_names: bool = False) -> Redacted:
    """Write a copy of the run into the new folder `out`; `clip_names`: numbers instead of the clips' names, too.

    Raises `UsageError` if `out` is inside the run, `RunError` if it exists or cannot be written. A copy that is not
    complete is removed.
    """
    if out.resolve().is_relative_to(run.path.resolve()):
        raise UsageError(f"{out} is inside the run that it would be a copy of. Choose another folder with --out.")
    names = _names(run, clip_names)
    manifest = _manifest(run.manifest, names)
    with RunWriter.create(out, manifest) as writer:
        try:
            left_out = _write(run, names, writer)
        except BaseException:
            writer.close()
            shutil.rmtree(out, ignore_errors=True)
            raise
    notices = (f"{counted(left_out, 'trace')} could not be read: the copy does not have them",) if left_out else ()
    removed, remains = ((*REMOVED, "names of the clips"), REMAINS) if clip_names else (REMOVED, (*REMAINS, CLIP_NAMES))
    return Redacted(out, removed, remains, notices)


def _write(run: Run, names: Names, writer: RunWriter) -> int:
    """Everything but the manifest; returns how many traces could not be read."""
    clips = {clip.id: clip for clip in run.manifest.utterances}
    checksums: dict[tuple[int, str], int] = {}
    left_out = 0
    for segment in run.segments:
        writer.segment(_segment(segment, names))
    for turn in run.turns:
        texts = _texts_of(clips.get(turn.utterance))
        try:
            evidence = run.evidence(turn)
        except RunError:
            left_out += 1
            place = (0, 0, turn.evidence_crc32)
        else:
            texts += [text.text for text in evidence.trace.texts]
            place = writer.evidence(_evidence(evidence, names, texts))
        checksums[turn.turn, turn.label] = place[2]
        writer.turn(_turn(turn, names, texts, place))
    lines = [_quality_line(line, names, checksums) for line in read_quality(run).lines]
    if lines:
        (writer.path / QUALITY).write_bytes(b"".join(map(to_line, lines)))
    return left_out


def _names(run: Run, clip_names: bool) -> Names:
    manifest = run.manifest
    clips = [*(clip.id for clip in manifest.utterances), *(turn.utterance for turn in run.turns)]
    values = [value for system in manifest.labels for value in system.options.values()]
    return Names(
        numbered_hosts(_addresses(run)),
        numbered_clips(clips) if clip_names else {},
        tuple(str(value) for value in values if is_prompt(value)),
    )


def _addresses(run: Run) -> Iterator[str]:
    """Texts that may name servers."""
    for system in run.manifest.labels:
        yield from (str(value) for value in system.options.values())
    for choice in run.manifest.options.pipelines:
        yield from (str(value) for value in choice.options.values())
    for facts in (facts for segment in run.segments for facts in segment.labels):
        yield from (server.url for server in facts.servers)
        yield from (str(value) for value in facts.facts.values())
        yield from (weights.source for weights in facts.weights)
        yield from facts.notices
    yield from (turn.reason for turn in run.turns)


def _manifest(original: Manifest, names: Names) -> Manifest:
    rule = original.warmup_rule
    texts = [text for clip in original.utterances for text in _texts_of(clip)]
    return replace(
        original,
        schema=SCHEMA,
        redacted=True,
        command=("bench", "run"),
        options=_run_options(original.options, names),
        labels=tuple(_system(system, names) for system in original.labels),
        corpus=names.scrubbed(original.corpus),
        corpus_source=names.scrubbed(original.corpus_source),
        utterances=tuple(_utterance(clip, names) for clip in original.utterances),
        notices=tuple(names.scrubbed(notice, texts) for notice in original.notices),
        warmup_rule=replace(rule, clip=names.clip(rule.clip)) if rule else None,
    )


def _run_options(original: Options, names: Names) -> Options:
    return replace(
        original,
        corpus=names.scrubbed(original.corpus),
        out=None,
        pipelines=tuple(_choice(choice, names) for choice in original.pipelines),
    )


def _choice(original: PipelineChoice, names: Names) -> PipelineChoice:
    return replace(original, options=_options(original.options, names))


def _system(original: System, names: Names) -> System:
    return replace(original, options=_options(original.options, names), source=names.scrubbed(original.source))


def _options(original: dict[str, OptionValue], names: Names) -> dict[str, OptionValue]:
    return {name: _option(value, names) for name, value in original.items()}


def _option(value: OptionValue, names: Names) -> OptionValue:
    if not isinstance(value, str):
        return value
    return checksum(value) if is_prompt(value) else names.scrubbed(value)


def _utterance(original: UtteranceFacts, names: Names) -> UtteranceFacts:
    return replace(
        original,
        id=names.clip(original.id),
        text=None if original.text is None else without_words(original.text),
        answers=tuple(map(without_words, original.answers)),
        speaker="",
        dialogue="",
    )


def _segment(original: Segment, names: Names) -> Segment:
    environment = {name: _fact(value, names) for name, value in original.environment.items()}
    if environment.get("heavy_processes"):
        environment["heavy_processes"] = PLACEHOLDER
    return replace(
        original, environment=environment, labels=tuple(_label_facts(facts, names) for facts in original.labels)
    )


def _label_facts(original: LabelFacts, names: Names) -> LabelFacts:
    return replace(
        original,
        weights=tuple(_weights(weights, names) for weights in original.weights),
        facts={name: _fact(value, names) for name, value in original.facts.items()},
        code=(),
        servers=tuple(replace(server, url=names.scrubbed(server.url)) for server in original.servers),
        notices=tuple(map(names.scrubbed, original.notices)),
    )


def _weights(original: Weights, names: Names) -> Weights:
    return replace(original, source=names.scrubbed(original.source), detail=names.scrubbed(original.detail))


def _fact(value: T, names: Names) -> T | str:
    """A session as its server described it is JSON, and may contain prompts."""
    return names.scrubbed(redacted_json(value) or value) if isinstance(value, str) else value


def _texts_of(clip: UtteranceFacts | None) -> list[str]:
    return [] if clip is None else [*([clip.text] if clip.text else []), *clip.answers]


def _evidence(original: Evidence, names: Names, texts: Iterable[str]) -> Evidence:
    placeholders = tuple(replace(text, text=without_words(text.text)) for text in original.trace.texts)
    messages = tuple(map(redacted_message, original.trace.messages))
    return replace(
        original,
        utterance=names.clip(original.utterance),
        reason=names.scrubbed(original.reason, texts),
        audio="",
        trace=replace(original.trace, texts=placeholders, messages=messages),
    )


def _turn(original: Turn, names: Names, texts: Iterable[str], place: tuple[int, int, int]) -> Turn:
    at, size, crc32 = place
    return replace(
        original,
        utterance=names.clip(original.utterance),
        reason=names.scrubbed(original.reason, texts),
        evidence_at=at,
        evidence_bytes=size,
        evidence_crc32=crc32,
    )


def _quality_line(line: Line, names: Names, checksums: dict[tuple[int, str], int]) -> Line:
    """A result of `bench quality`, with the checksum of the copy's trace."""
    if isinstance(line, HeardClip):
        return replace(line, clip=names.clip(line.clip), transcript=without_words(line.transcript))
    about = replace(line.reply, evidence_crc32=checksums[line.reply.turn, line.reply.label])
    if isinstance(line, HeardReply):
        return replace(line, reply=about, transcript=without_words(line.transcript))
    return replace(line, reply=about)
