"""From answers to figures: pure, every share with its number and its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from firstpacket.bench.quality.findings import ErrorRate, HeardBy
from firstpacket.bench.quality.wer import words
from firstpacket.bench.stats.binomial import Share, mcnemar, share, share_difference
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.ratio import difference_of_ratios, ratio_of_sums
from firstpacket.pipelines.tools.evaluation.questions import Exam, Question
from firstpacket.pipelines.tools.evaluation.replies import Answer, is_accepted


@dataclass(frozen=True, slots=True)
class Baseline:
    """One answer, given to every question."""

    answer: str
    right: Share


@dataclass(frozen=True, slots=True)
class Group:
    """Answers with something in common: a voice, a topic."""

    right: Share
    transcript_wer: ErrorRate | None


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One label on all clips."""

    label: str
    pipeline: str
    weights: tuple[str, ...]
    outcomes: dict[str, int]
    right: Share
    transcript_wer: ErrorRate | None
    """None where the label makes no transcript."""
    heard: HeardBy | None
    """The reply's audio as a recogniser heard it, against the reply's text (ASR-WER)."""
    groups: dict[str, dict[str, Group]]
    """By `voice`, `topic`, `question` and `answer` (new or trained on)."""
    other_clips: float
    """Right answers if its replies belonged to other clips: mean over all pairs of a reply and another clip."""
    to_silence: Baseline
    to_nothing: Baseline | None
    """Its language model given an empty question; None where that cannot be asked."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two labels on the same clips; `p` is McNemar's, two-sided."""

    n: int
    first_right: int
    second_right: int
    only_first: int
    only_second: int
    difference: Estimate | None
    """Share of right answers of the second minus that of the first; None without clips."""
    p: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A system against the first one, on all clips."""

    first: str
    second: str
    pairs: Pairs
    reply_wer: Estimate | None
    """Reply WER of the second minus that of the first, on clips where both had words to be heard; None without."""


@dataclass(frozen=True, slots=True)
class PassedDown:
    """A system with transcripts compared with one without, by whether the first one's transcript was right."""

    transcribing: str
    direct: str
    heard_right: Pairs
    heard_wrong: Pairs


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one exam."""

    corpus: str
    """SHA-256 of the corpus' manifest."""
    split: str
    clips: int
    voices: int
    texts: int
    new_texts: int
    """Clips whose question was never trained on, in any voice."""
    commonest: Baseline
    """The answer that training saw most often."""
    best_constant: Baseline
    """The commonest answer of these clips: nobody who gives one answer to all is right more often."""
    answer_voice: ErrorRate | None
    """What the recogniser of the replies makes of the voice that the answers were recorded in."""
    labels: tuple[LabelFigures, ...]
    against_first: tuple[Compared, ...]
    passed_down: tuple[PassedDown, ...]
    command: tuple[str, ...]


def constant(answer: str, exam: Exam) -> Baseline:
    """What it gives to answer everything alike."""
    return Baseline(answer, share([is_accepted(answer, question) for question in exam.questions]))


def commonest(exam: Exam) -> Baseline:
    """The answer that most question texts of the training have; of several, the first by alphabet."""
    return constant(_most(exam.trained_answers), exam)


def best_constant(exam: Exam) -> Baseline:
    """The answer that is right on most of the exam's clips."""
    return constant(_most(Counter(answer for question in exam.questions for answer in question.answers)), exam)


def other_clips(answers: Sequence[Answer]) -> float:
    """The share of right answers if every reply were given to every other clip: what a repertoire alone is worth."""
    said = Counter(words(answer.reply) for answer in answers if answer.outcome == "answered")
    hits = 0
    for answer in answers:
        accepted = {words(text) for text in answer.question.answers}
        hits += sum(said[text] for text in accepted) - answer.right
    return hits / (len(answers) * (len(answers) - 1)) if len(answers) > 1 else 0.0


def transcript_wer(answers: Sequence[Answer]) -> ErrorRate | None:
    """All edits over all words; the interval draws clips."""
    if any(answer.transcript is None for answer in answers):
        return None
    sizes = [len(words(answer.question.text)) for answer in answers]
    rate = ratio_of_sums([answer.edits for answer in answers], sizes, [answer.question.clip for answer in answers])
    return ErrorRate(rate, sum(sizes))


GROUPS: dict[str, Callable[[Question], str]] = {
    "voice": lambda question: question.voice,
    "topic": lambda question: question.topic,
    "question": lambda question: "never trained on" if question.new_text else "trained on",
    "answer": lambda question: "never trained on" if question.new_answer else "trained on",
}


def groups(answers: Sequence[Answer]) -> dict[str, dict[str, Group]]:
    """Every way to group the answers, its groups by name."""
    return {name: _grouped(answers, key) for name, key in GROUPS.items()}


def _grouped(answers: Sequence[Answer], key: Callable[[Question], str]) -> dict[str, Group]:
    members: dict[str, list[Answer]] = {}
    for answer in answers:
        members.setdefault(key(answer.question), []).append(answer)
    return {
        name: Group(share([answer.right for answer in members[name]]), transcript_wer(members[name]))
        for name in sorted(members)
    }


def passed_down(transcribing: str, heard: Sequence[Answer], direct: str, answers: Sequence[Answer]) -> PassedDown:
    """Both labels' answers, by whether the transcript was right; the sequences are of the same clips, in one order."""
    both = list(zip(heard, answers, strict=True))
    return PassedDown(
        transcribing,
        direct,
        _pairs([pair for pair in both if pair[0].heard_right]),
        _pairs([pair for pair in both if not pair[0].heard_right]),
    )


def against_first(answers: Mapping[str, Sequence[Answer]]) -> tuple[Compared, ...]:
    """Every system but the first compared with it; the sequences are of the same clips, in one order."""
    (first, its), *others = answers.items()
    sides = [(label, list(zip(its, theirs, strict=True))) for label, theirs in others]
    return tuple(Compared(first, label, _pairs(both), _reply_wer(both)) for label, both in sides)


def _reply_wer(both: Sequence[tuple[Answer, Answer]]) -> Estimate | None:
    heard = [
        (one.reply_errors, other.reply_errors, one.question.clip)
        for one, other in both
        if one.reply_errors and other.reply_errors and one.reply_errors[1] and other.reply_errors[1]
    ]
    return difference_of_ratios(*zip(*heard, strict=True)) if heard else None


def _pairs(both: Sequence[tuple[Answer, Answer]]) -> Pairs:
    only_first = sum(first.right and not second.right for first, second in both)
    only_second = sum(second.right and not first.right for first, second in both)
    first_right = sum(first.right for first, _ in both)
    second_right = sum(second.right for _, second in both)
    difference = share_difference(only_first, only_second, len(both)) if both else None
    p = mcnemar(only_first, only_second)
    return Pairs(len(both), first_right, second_right, only_first, only_second, difference, p)


def _most(counted: Counter[str]) -> str:
    return min(counted, key=lambda text: (-counted[text], text))
