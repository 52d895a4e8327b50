"""The steps of `bench evaluate`: run, transcribe, compute, write."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.paths import replace_text
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.sanitize import without_secrets
from firstpacket.bench.stats.binomial import share
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.pipelines.tools.evaluation.asking import Asked, ask, reply_to_nothing, reply_to_silence
from firstpacket.pipelines.tools.evaluation.figures import (
    Figures,
    LabelFigures,
    PassedDown,
    against_first,
    best_constant,
    commonest,
    constant,
    groups,
    other_clips,
    passed_down,
    transcript_wer,
)
from firstpacket.pipelines.tools.evaluation.questions import Exam, drawn, read_exam
from firstpacket.pipelines.tools.evaluation.replies import Answer, answers_of
from firstpacket.pipelines.tools.evaluation.tables import markdown
from firstpacket.pipelines.tools.evaluation.voice import answer_voice
from firstpacket.pipelines.tools.quality import NOBODY
from firstpacket.pipelines.tools.quality.assess import assess
from firstpacket.pipelines.tools.quality.choosing import checked_device, recogniser_judge
from firstpacket.pipelines.tools.quality.progress import progress


@dataclass(frozen=True, slots=True)
class Written:
    """The results, and the names of their files in the folder."""

    figures: Figures
    json: str = "figures.json"
    tables: str = "figures.md"


def evaluate(asked: Asked, out: Path, recogniser: str, listen: int | None, command: Sequence[str]) -> Written:
    """Make or complete the run in `out`, and write its figures there.

    The recogniser listens to the replies to `listen` clips, drawn by the seed and the same of every label; None: to
    all. Raises `BenchError`.
    """
    exam = read_exam(asked.data, asked.split, asked.limit, asked.seed)
    run = ask(asked, exam, out, command)
    voice = None
    if recogniser != NOBODY:
        heard = drawn(exam.questions, listen, asked.seed)
        place = checked_device("cpu" if asked.device == "auto" else asked.device)
        with progress() as bar:
            assess(run.path, recogniser_judge(recogniser, place), (), False, bar, {each.clip for each in heard})
        texts = [question.answers[0] for question in heard]
        voice = answer_voice(asked.data, texts, recogniser_judge(recogniser, place), out)
    answers_by_label = {plan.label: answers_of(run, plan.label, exam) for plan in run.manifest.labels}
    summaries = {label.label: label for label in summarise(read_run(run.path)).labels}
    labels = tuple(
        _label(run, plan, summaries[plan.label], answers_by_label[plan.label], exam) for plan in run.manifest.labels
    )
    figures = Figures(
        corpus=hashlib.sha256((asked.data / MANIFEST).read_bytes()).hexdigest(),
        split=asked.split,
        clips=len(exam.questions),
        voices=len({question.voice for question in exam.questions}),
        texts=len({question.text for question in exam.questions}),
        new_texts=sum(question.new_text for question in exam.questions),
        commonest=commonest(exam),
        best_constant=best_constant(exam),
        answer_voice=voice,
        labels=labels,
        against_first=against_first(answers_by_label),
        passed_down=_passed_down(answers_by_label),
        command=tuple(without_secrets(word) for word in command),
    )
    written = Written(figures)
    replace_text(out / written.json, json.dumps(asdict(figures), indent=1) + "\n")
    replace_text(out / written.tables, markdown(figures))
    return written


def _label(run: Run, plan: System, summary: LabelSummary, answers: Sequence[Answer], exam: Exam) -> LabelFigures:
    nothing = reply_to_nothing(plan, run.manifest.options.seed)
    return LabelFigures(
        label=plan.label,
        pipeline=plan.pipeline,
        weights=tuple(f"{weights.part}: {weights.source}" for weights in summary.weights),
        outcomes=dict(Counter(answer.outcome for answer in answers)),
        right=share([answer.right for answer in answers]),
        transcript_wer=transcript_wer(answers),
        heard=summary.quality.recognisers[-1] if summary.quality.recognisers else None,
        groups=groups(answers),
        other_clips=other_clips(answers),
        to_silence=constant(reply_to_silence(plan), exam),
        to_nothing=constant(nothing, exam) if nothing is not None else None,
    )


def _passed_down(answers: dict[str, tuple[Answer, ...]]) -> tuple[PassedDown, ...]:
    """Every system with transcripts paired with every one without."""
    transcribing = {label for label, given in answers.items() if given[0].transcript is not None}
    return tuple(
        passed_down(label, answers[label], other, answers[other])
        for label in answers
        for other in answers
        if label in transcribing and other not in transcribing
    )
