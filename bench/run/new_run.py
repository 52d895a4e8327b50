"""The plan of a new run, from its options: the recordings, and the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Corpus, Utterance
from firstpacket.bench.errors import UsageError
from firstpacket.bench.host.machine import usable_cores
from firstpacket.bench.metrics.stopping_decision import clips_needed
from firstpacket.bench.options import IDLE_TURNS, MINUTES, PASSES, Options, bounds, parse_precision
from firstpacket.bench.paths import name_as_text
from firstpacket.bench.record.rules import StoppingRule
from firstpacket.bench.record.schema import SCHEMA, Manifest, System, UtteranceFacts
from firstpacket.bench.run.pinning import listed, pinned_cpus
from firstpacket.bench.run.profiling import profiling_notices
from firstpacket.bench.run.schedule.orders import drawn
from firstpacket.bench.run.schedule.warmup import warmup_rule
from firstpacket.bench.sanitize import clean, without_secrets


def recordings(source: str, options: Options) -> Corpus:
    """The recordings that a run with these options uses. With a precision to reach, it passes over all of them."""
    turns = None if options.precision is not None else options.turns
    return load_corpus(
        source,
        trim_to_s=options.trim_to,
        limit=options.limit,
        channel=options.channel,
        draw=lambda ids: drawn(ids, turns, options.seed),
    )


def new_manifest(
    options: Options, systems: tuple[System, ...], corpus: Corpus, command: Sequence[str], notices: tuple[str, ...]
) -> Manifest:
    """The definition of a run with these options. Raises `UsageError` where they cannot be met."""
    now = datetime.now(UTC)
    rule = warmup_rule(corpus.utterances) if options.warmup == "auto" else None
    stopping = stopping_rule(options, len(corpus.utterances))
    return Manifest(
        schema=SCHEMA,
        run=_name(options, now, systems)[:100],
        created=now.isoformat(timespec="seconds"),
        command=tuple(without_secrets(name_as_text(word)) for word in command),
        options=_in_force(options),
        turns=stopping.blocks * len(corpus.utterances) if stopping else options.turns or len(corpus.utterances),
        warmup=rule.most if rule else int(options.warmup),
        warmup_rule=rule,
        labels=systems,
        corpus=corpus.name,
        corpus_source=_lasting(corpus.source),
        corpus_sha256=corpus.sha256,
        utterances=tuple(_facts(utterance) for utterance in corpus.utterances),
        stopping_rule=stopping,
        notices=(*notices, *profiling_notices(options.profile_gpu, systems), *corpus.notices),
    )


def _name(options: Options, now: datetime, systems: Sequence[System]) -> str:
    """The folder's, if the user chose one."""
    if options.out:
        return clean(name_as_text(Path(options.out).resolve().name))
    return f"{now:%Y%m%d-%H%M%S}-{'-'.join(system.label for system in systems)}"


def _in_force(options: Options) -> Options:
    """The options with derived values filled in, and without the output folder."""
    cpus, cores = pinned_cpus(options.pin), usable_cores()
    return replace(
        options,
        corpus=name_as_text(options.corpus),
        threads=options.threads or min(cores, len(cpus) or cores),
        pin=listed(cpus) or None,
        idle_turns=(options.idle_turns or IDLE_TURNS) if options.idle else None,
        keep_audio=options.keep_audio and options.leave_after == "reply",
        out=None,
    )


def stopping_rule(options: Options, clips: int) -> StoppingRule | None:
    """The rule for a corpus of this many clips. Raises `UsageError` if no check could ever have an interval."""
    if options.precision is None:
        return None
    width, unit = parse_precision(options.precision)
    most = options.turns or min(PASSES * clips, bounds("turns")[1])
    if most < clips:
        raise UsageError(
            f"--turns {most} is less than one pass over the {clips} clips of the corpus, and --precision checks after "
            f"whole passes only. Use --turns {clips} or more, or fewer clips with --limit."
        )
    rule = StoppingRule(
        width, unit, int(most // clips), MINUTES if options.max_minutes is None else options.max_minutes
    )
    if clips < (needed := clips_needed(rule)):
        raise UsageError(
            f"--precision needs a confidence interval, which takes at least {needed} clips with checks after 1, 2, 4, "
            f"... of {rule.blocks} passes; the corpus has {clips}. Use a larger corpus, or --turns "
            "instead of --precision."
        )
    return rule


def _lasting(source: str) -> str:
    """A corpus's source that is valid in any working folder."""
    named = {listing.name for listing in list_corpora()}
    return source if source in named else name_as_text(Path(source).resolve())


def _facts(utterance: Utterance) -> UtteranceFacts:
    return UtteranceFacts(
        utterance.id,
        utterance.sha256,
        utterance.duration_ms,
        utterance.speech_end_ms,
        utterance.speech_end_source,
        utterance.text,
        utterance.licence,
        utterance.speech_end_estimates_ms,
        utterance.answers,
        utterance.answer_rule,
        utterance.speaker,
        utterance.category,
        utterance.dialogue,
        utterance.marks,
    )
