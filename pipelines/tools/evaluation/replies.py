"""What every label heard and said on every clip, as a run has it."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.quality.answers import is_right
from firstpacket.bench.quality.record import HeardReply, read_quality
from firstpacket.bench.quality.wer import errors
from firstpacket.bench.record.store import Run
from firstpacket.bench.vocabulary import Outcome
from firstpacket.pipelines.tools.evaluation.questions import Exam, Question


@dataclass(frozen=True, slots=True)
class Answer:
    """One label's answer to one clip."""

    question: Question
    outcome: Outcome
    transcript: str | None
    """None where the label makes none, on no clip."""
    reply: str
    right: bool
    """Answered aloud, in the words of an accepted answer."""
    reply_errors: tuple[int, int] | None = None
    """Word errors of the recogniser that heard the reply, and the reply's words; None where it did not."""

    @property
    def edits(self) -> int:
        """Word errors of the transcript."""
        return errors(self.question.text, self.transcript or "")[0]

    @property
    def heard_right(self) -> bool:
        """Whether the transcript has the words of the question."""
        return self.edits == 0


def answers_of(run: Run, label: str, exam: Exam) -> tuple[Answer, ...]:
    """The label's answers in the exam's order. A turn that failed has an empty transcript, and no answer."""
    found: dict[str, tuple[Outcome, list[str], str]] = {}
    reply_errors = _reply_errors(run, label)
    for turn in run.turns:
        if turn.label == label and turn.phase == "measured":
            trace = run.evidence(turn).trace
            heard = [text.text for text in trace.texts if text.kind == "transcript"]
            found[turn.utterance] = turn.outcome, heard, reply_text(trace)
    transcribes = any(heard for _, heard, _ in found.values())
    answers = []
    for question in exam.questions:
        outcome, heard, reply = found[question.clip]
        right = outcome == "answered" and is_accepted(reply, question)
        transcript = "".join(heard[-1:]) if transcribes else None
        answers.append(Answer(question, outcome, transcript, reply, right, reply_errors.get(question.clip)))
    return tuple(answers)


def _reply_errors(run: Run, label: str) -> dict[str, tuple[int, int]]:
    """By clip, what the recogniser that was used last made of the reply."""
    heard = [line for line in read_quality(run).lines if isinstance(line, HeardReply) and line.reply.label == label]
    clips = {turn.turn: turn.utterance for turn in run.turns if turn.phase == "measured"}
    return {
        clips[line.reply.turn]: (line.edits, line.words)
        for line in heard
        if line.judge == heard[-1].judge and line.reply.turn in clips
    }


def is_accepted(reply: str, question: Question) -> bool:
    """Whether a reply has the words of an answer that the corpus accepts."""
    return is_right("equals", reply, question.answers) is True
