"""Reply by reply: the sound, what a recogniser heard, what scorers gave. Resumes where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.corpus.audio import to_corpus_rate
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import BenchError, CorpusError, RunError
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.quality.record import (
    SCHEMA,
    HeardClip,
    HeardReply,
    Judge,
    Line,
    ReplySound,
    ScoredReply,
    place_of,
)
from firstpacket.bench.quality.sound import VERSION, sound
from firstpacket.bench.quality.wer import VERSION as NORMALISATION
from firstpacket.bench.quality.wer import errors
from firstpacket.bench.quality.writer import Notebook
from firstpacket.bench.record.store import Run, read_run
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge, ScorerJudge
from firstpacket.pipelines.tools.quality.replies import KeptReply, kept_replies

Progress = Callable[[str, int, int], None]
"""Called with the current task, the number of finished items and their total."""
Work = tuple[tuple[object, ...], Callable[[Samples, int], Line]]
"""What a line will be about, and who makes it from samples and their rate."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What was done: lines written, replies looked at, and what could not be."""

    written: int
    replies: int
    problems: tuple[str, ...]


def assess(
    path: Path,
    recogniser: RecogniserJudge | None,
    scorers: Sequence[ScorerJudge],
    baseline: bool,
    progress: Progress,
    only: Container[str] | None = None,
) -> Assessed:
    """Score all recorded replies of the run that have no score yet; results are saved as they come.

    With `only`, only replies to those clips are scored.

    Raises `RunError` if there are no replies, and `BenchError` if a judge cannot be loaded or fails.
    """
    run = read_run(path)
    problems: list[str] = []
    replies = [reply for reply in kept_replies(run, problems) if only is None or reply.clip in only]
    if not replies:
        why = f"{problems[0]}. " if problems else "no measured turn was answered. "
        raise RunError(
            f"No replies to score in {path}: {why}Runs keep replies unless --no-keep-audio or --leave-after is given."
        )
    clips = _clips(run, problems) if recogniser else {}
    with ExitStack() as stack:
        listener = _Listener(recogniser, stack.enter_context(closing(recogniser)).load()) if recogniser else None
        judges = [(scorer, stack.enter_context(closing(scorer)).load()) for scorer in scorers]
        notebook = stack.enter_context(Notebook(run))
        for number, reply in enumerate(replies):
            progress(f"turn {reply.reply.turn} ({reply.reply.label})", number, len(replies))
            language = clips[reply.clip].language if reply.clip in clips else ""
            work = [_sound(reply), *(_score(reply, *judge) for judge in judges)]
            work += [listener.hears(reply, language)] if listener else []
            try:
                _do(work, reply, notebook)
            except CorpusError as error:
                problems.append(f"turn {reply.reply.turn} ({reply.reply.label}): {error}")
        for number, clip in enumerate(clips.values() if listener and baseline else ()):
            progress(f"clip {clip.id}", number, len(clips))
            if listener and notebook.is_due(place_of("clip", listener.judge, clip.id), clip.sha256):
                notebook.write(listener.heard_clip(clip))
        return Assessed(notebook.written, len(replies), tuple(problems))


def _do(work: Sequence[Work], reply: KeptReply, notebook: Notebook) -> None:
    """What is still to be done; the audio is decoded only if anything is."""
    due = [make for place, make in work if notebook.is_due(place, reply.reply.audio_sha256)]
    if due:
        samples, rate = reply.samples()
        for make in due:
            notebook.write(make(samples, rate))


def _clips(run: Run, problems: list[str]) -> Mapping[str, Utterance]:
    """The corpus' clips that the run used and that have a text, by id; none if the corpus is not what it was."""
    manifest = run.manifest
    used = {utterance.id: utterance.sha256 for utterance in manifest.utterances}
    try:
        corpus = load_corpus(
            manifest.corpus_source,
            trim_to_s=manifest.options.trim_to,
            limit=manifest.options.limit,
            channel=manifest.options.channel,
            draw=lambda _: used,
        )
    except BenchError as error:
        problems.append(f"the recogniser's own error rate is unknown, because the corpus cannot be read: {error}")
        return {}
    return {clip.id: clip for clip in corpus.utterances if clip.text and used.get(clip.id) == clip.sha256}


def _sound(reply: KeptReply) -> Work:
    def make(samples: Samples, rate: int) -> Line:
        return ReplySound(SCHEMA, "sound", reply.reply, sound(samples, rate), VERSION)

    return place_of("sound", None, reply.reply.turn), make


def _score(reply: KeptReply, scorer: ScorerJudge, judge: Judge) -> Work:
    def make(samples: Samples, rate: int) -> Line:
        score = scorer.score(samples, rate, f"turn {reply.reply.turn}")
        return ScoredReply(SCHEMA, "score", reply.reply, judge, score, *scorer.scale)

    return place_of("score", judge, reply.reply.turn), make


@dataclass(frozen=True, slots=True)
class _Listener:
    recogniser: RecogniserJudge
    judge: Judge

    def hears(self, reply: KeptReply, language: str) -> Work:
        def make(samples: Samples, rate: int) -> Line:
            what = f"turn {reply.reply.turn}"
            transcript = self.recogniser.transcript(to_corpus_rate(samples, rate), language, what)
            return HeardReply(
                SCHEMA, "reply", reply.reply, self.judge, transcript, *errors(reply.text, transcript), NORMALISATION
            )

        return place_of("reply", self.judge, reply.reply.turn), make

    def heard_clip(self, clip: Utterance) -> Line:
        transcript = self.recogniser.transcript(clip.samples, clip.language, f"clip {clip.id}")
        edits, words = errors(clip.text or "", transcript)
        return HeardClip(SCHEMA, "clip", clip.id, clip.sha256, self.judge, transcript, edits, words, NORMALISATION)
