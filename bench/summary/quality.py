"""A system's quality: from its turns' own figures, and from recognisers and scorers run on its replies.

All measured turns count, whatever their outcome: a turn in which nothing was recognised has an empty transcript, and a
silent reply is recognised as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean

from firstpacket.bench.metrics.definitions import TURN_METRICS, metric
from firstpacket.bench.metrics.quality_figures import LOUD_END_DB
from firstpacket.bench.quality.findings import (
    NOT_EXAMINED,
    Accuracy,
    AudioFindings,
    ErrorRate,
    HeardBy,
    LabelQuality,
    Pace,
    ScoredBy,
)
from firstpacket.bench.quality.record import HeardClip, HeardReply, Judge, Line, ReplySound, ScoredReply
from firstpacket.bench.quality.wer import is_character, words
from firstpacket.bench.record.schema import Turn, UtteranceFacts
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.binomial import share
from firstpacket.bench.stats.bootstrap import Estimate, Statistic, estimate
from firstpacket.bench.stats.ratio import ratio_of_sums
from firstpacket.bench.vocabulary import ANSWER_RULES

PACE_OF_WORDS = 6.0, 25.0
"""Letters and digits per second: 150 to 200 words a minute, an ordinary pace, are 11 to 15; half of that drags, and
nobody follows 350 words a minute for long."""
PACE_OF_CHARACTERS = 2.5, 12.0
"""The same where a character is about a syllable: languages have 5 to 8 a second (Pellegrino et al. 2011)."""

LEFT_EARLY = "turns ended after their first packet"
"""Why a run has no figure of whole replies."""


def label_quality(run: Run, label: str, lines: Sequence[Line]) -> LabelQuality:
    """Quality of the system's measured turns; `lines` are the valid ones of the whole run."""
    turns = {turn.turn: turn for turn in run.turns if turn.label == label and turn.is_measured}
    measured = list(turns.values())
    texts = {clip.id: clip.text or "" for clip in run.manifest.utterances}
    reply_lines = [line for line in lines if not isinstance(line, HeardClip) and line.reply.turn in turns]
    return LabelQuality(
        transcript=_transcript(run, measured, any(texts.values())),
        answers=_answers(run, measured),
        recognisers=tuple(_heard_by(reply_lines, lines, turns)),
        scores=tuple(_scored_by(reply_lines, turns)),
        pace=_pace(measured, texts),
        figures=dict(_pooled(measured)),
        audible_end=_audible_end(run, measured),
        audio=_audio(reply_lines, turns),
        unexamined=LEFT_EARLY if run.manifest.leaves_early else NOT_EXAMINED,
    )


def _audible_end(run: Run, turns: Sequence[Turn]) -> float | None:
    """Share of the replies that end loud, where the run measured their ends as this version does."""
    name = "reply_end_level"
    segments = {each.segment for each in run.segments if each.metrics.get(name) == metric(name).version}
    levels = [turn.figures[name] for turn in turns if turn.segment in segments and name in turn.figures]
    return mean(level > LOUD_END_DB for level in levels) if levels else None


def _transcript(run: Run, turns: Sequence[Turn], has_texts: bool) -> ErrorRate:
    compared = [turn for turn in turns if {"transcript_wer", "transcript_words"} <= turn.figures.keys()]
    if compared:
        sizes = [turn.figures["transcript_words"] for turn in compared]
        edits = [round(turn.figures["transcript_wer"] * size) for turn, size in zip(compared, sizes, strict=True)]
        return _rate(edits, [round(size) for size in sizes], [turn.utterance for turn in compared])
    if not has_texts:
        return ErrorRate(None, reason="the corpus has no texts")
    if run.manifest.leaves_early:
        return ErrorRate(None, reason=LEFT_EARLY)
    versions = [segment.metrics for segment in run.segments]
    if any(known and "transcript_wer" not in known for known in versions):
        return ErrorRate(None, reason="the run predates the comparison of transcripts")
    return ErrorRate(None, reason="the pipeline gives no transcript" if turns else "no measured turns")


def _answers(run: Run, turns: Sequence[Turn]) -> Accuracy:
    """Over all turns on clips whose answers are judged; a turn without an audible answer is not correct."""
    judged = {clip.id: clip.answer_rule for clip in run.manifest.utterances if _is_judged(clip)}
    judged_turns = [turn for turn in turns if turn.utterance in judged]
    if not judged:
        has_answers = any(clip.answers for clip in run.manifest.utterances)
        return Accuracy(None, "the corpus says that its answers are not judged" if has_answers else _NO_ANSWERS)
    if not judged_turns:
        return Accuracy(None, "no measured turns")
    if run.manifest.leaves_early:
        return Accuracy(None, LEFT_EARLY)
    if not any("answer_accuracy" in turn.figures for turn in judged_turns):
        return Accuracy(None, "the pipeline gives no reply text")
    right = [turn.is_answered and turn.figures.get("answer_accuracy") == 1 for turn in judged_turns]
    rules = {judged[turn.utterance] for turn in judged_turns}
    return Accuracy(
        share(right, [turn.utterance for turn in judged_turns]),
        rules=tuple(rule for rule in ANSWER_RULES if rule in rules),
        reply_words=_of_turns(judged_turns, "answer_words", "median"),
    )


_NO_ANSWERS = "the corpus has no accepted answers"


def _is_judged(clip: UtteranceFacts) -> bool:
    return clip.answer_rule != "none" and any(map(words, clip.answers))


def _heard_by(of_label: Sequence[Line], lines: Sequence[Line], turns: dict[int, Turn]) -> list[HeardBy]:
    replies = [line for line in of_label if isinstance(line, HeardReply)]
    clips = [line for line in lines if isinstance(line, HeardClip)]
    found = []
    for judge in _in_order([line.judge for line in replies]):
        of_replies = [line for line in replies if line.judge == judge]
        of_clips = [line for line in clips if line.judge == judge]
        reply = _rate(
            [line.edits for line in of_replies],
            [line.words for line in of_replies],
            [turns[line.reply.turn].utterance for line in of_replies],
            "the pipeline gives no reply text",
        )
        own = _rate(
            [line.edits for line in of_clips],
            [line.words for line in of_clips],
            [line.clip for line in of_clips],
            "it was not run on the corpus' clips",
        )
        words_heard = sum(len(words(line.transcript)) for line in of_replies)
        found.append(HeardBy(str(judge), reply, own, words_heard))
    return found


def _scored_by(of_label: Sequence[Line], turns: dict[int, Turn]) -> list[ScoredBy]:
    scores = [line for line in of_label if isinstance(line, ScoredReply)]
    found = []
    for judge in _in_order([line.judge for line in scores]):
        own = [line for line in scores if line.judge == judge]
        clips = [turns[line.reply.turn].utterance for line in own]
        value = estimate([line.score for line in own], clips, "mean")
        found.append(ScoredBy(str(judge), value, min(line.least for line in own), max(line.most for line in own)))
    return found


def _pace(turns: Sequence[Turn], texts: dict[str, str]) -> Pace | None:
    paced = [turn for turn in turns if "reply_pace" in turn.figures]
    median = _of_turns(paced, "reply_pace", "median")
    if median is None:
        return None
    spans = {clip: _plausible(texts.get(clip, "")) for clip in {turn.utterance for turn in paced}}
    return Pace(median, sum(not _within(turn.figures["reply_pace"], spans[turn.utterance]) for turn in paced))


def _plausible(question: str) -> tuple[float, float]:
    """Plausible paces of a reply, assuming that it is in the script of its question."""
    question_words = words(question)
    return PACE_OF_CHARACTERS if sum(map(is_character, question_words)) > len(question_words) / 2 else PACE_OF_WORDS


def _within(value: float, span: tuple[float, float]) -> bool:
    return span[0] <= value <= span[1]


def _audio(of_label: Sequence[Line], turns: dict[int, Turn]) -> AudioFindings | None:
    sounds = [line for line in of_label if isinstance(line, ReplySound)]
    if not sounds:
        return None
    clips = [turns[line.reply.turn].utterance for line in sounds]
    return AudioFindings(
        estimate([line.sound.clipped_share for line in sounds], clips, "mean"),
        estimate([abs(line.sound.offset) for line in sounds], clips, "mean"),
    )


def _pooled(turns: Sequence[Turn]) -> Iterator[tuple[str, Estimate]]:
    for known in TURN_METRICS:
        if known.quality and (found := _of_turns(turns, known.name, known.quality.statistic)) is not None:
            yield known.name, found


def _of_turns(turns: Sequence[Turn], name: str, statistic: Statistic) -> Estimate | None:
    having = [turn for turn in turns if name in turn.figures]
    values = [turn.figures[name] for turn in having]
    return estimate(values, [turn.utterance for turn in having], statistic) if values else None


def _rate(edits: Sequence[int], sizes: Sequence[int], clips: Sequence[str], without: str = "") -> ErrorRate:
    """Skips references without words, by which nothing can be divided."""
    rows = [row for row in zip(edits, sizes, clips, strict=True) if row[1] > 0]
    if not rows:
        return ErrorRate(None, reason=without)
    above, below, of = zip(*rows, strict=True)
    return ErrorRate(ratio_of_sums(above, below, of), sum(below))


def _in_order(judges: Sequence[Judge]) -> list[Judge]:
    """Each once, in the order of their last occurrence."""
    found: list[Judge] = []
    for judge in judges:
        if judge in found:
            found.remove(judge)
        found.append(judge)
    return found
