"""What every label heard and said on every clip, as a run has it."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.quality.answers import is_right
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
        answers.append(Answer(question, outcome, ("".join(heard[-1:]) if transcribes else None), reply, right))
    return tuple(answers)


def is_accepted(reply: str, question: Question) -> bool:
    """Whether a reply has the words of an answer that the corpus accepts."""
    return is_right("equals", reply, question.answers) is True
