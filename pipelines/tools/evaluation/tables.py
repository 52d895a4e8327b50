"""The figures as Markdown: for the terminal, and for a model card."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from firstpacket.bench.quality.findings import ErrorRate
from firstpacket.bench.stats.binomial import Share
from firstpacket.pipelines.tools.evaluation.figures import Baseline, Figures, LabelFigures, Pairs

NONE = "-"


def tables(found: Figures) -> str:
    """All tables, each with what its columns are, then the command that made them."""
    parts = (
        _summary(found),
        _baselines(found),
        *([_passed_down(found)] if found.passed_down else []),
        *(_groups(found, name) for name in found.labels[0].groups),
        ("", f"Made by `{shlex.join(found.command)}`; manifest of the corpus: SHA-256 `{found.corpus}`."),
    )
    return "\n".join(line for part in parts for line in part).lstrip("\n") + "\n"


def _summary(found: Figures) -> Iterator[str]:
    yield (
        f"{found.clips} clips of the split `{found.split}`: {found.texts} texts, {found.voices} voices; the texts of "
        f"{found.new_texts} clips were never trained on. 95 % intervals in brackets."
    )
    recogniser = next((label.heard.recogniser for label in found.labels if label.heard), "nobody")
    yield from _table(
        ("", "right answers", "transcript WER", f"reply WER by {recogniser}", "replies heard", "not answered"),
        (
            (
                label.label,
                _share(label.right),
                _rate(label.transcript_wer),
                _rate(label.heard.reply if label.heard else None),
                str(label.heard.reply.rate.n if label.heard and label.heard.reply.rate else 0),
                _unanswered(label),
            )
            for label in found.labels
        ),
    )
    if found.answer_voice is not None:
        n = found.answer_voice.rate.n if found.answer_voice.rate else 0
        yield ""
        yield f"The same recogniser on {n} recordings of the answer voice itself: {_rate(found.answer_voice)}."


def _baselines(found: Figures) -> Iterator[str]:
    yield from _table(
        ("without listening", "right answers", "answer"),
        (
            ("commonest answer of the training", *_constant(found.commonest)),
            ("commonest answer of these clips: no single answer is right more often", *_constant(found.best_constant)),
            *(row for label in found.labels for row in _unheard(label)),
        ),
    )


def _unheard(label: LabelFigures) -> Iterator[tuple[str, str, str]]:
    yield f"{label.label} hearing silence", *_constant(label.to_silence)
    if label.to_nothing is not None:
        yield f"language model of {label.label}, no question", *_constant(label.to_nothing)
    yield f"{label.label}, its replies given to other clips", f"{label.other_clips:.1%}", NONE


def _passed_down(found: Figures) -> Iterator[str]:
    yield from _table(
        ("on the same clips", "clips", "first right", "second right", "only first", "only second", "p (McNemar)"),
        (
            (f"{each.transcribing}, {each.direct}: {which}", *_pairs(pairs))
            for each in found.passed_down
            for which, pairs in (
                (f"{each.transcribing} heard right", each.heard_right),
                (f"{each.transcribing} misheard", each.heard_wrong),
                ("all", each.all),
            )
        ),
    )


def _groups(found: Figures, name: str) -> Iterator[str]:
    members = dict.fromkeys(member for label in found.labels for member in label.groups[name])
    heard = [label for label in found.labels if label.transcript_wer is not None]
    headings = (name, "clips", *(f"{label.label} right" for label in found.labels))
    yield from _table(
        (*headings, *(f"{label.label} transcript WER" for label in heard)),
        (
            (
                member or "not stated",
                str(found.labels[0].groups[name][member].right.n),
                *(_share(label.groups[name][member].right) for label in found.labels),
                *(_rate(label.groups[name][member].transcript_wer) for label in heard),
            )
            for member in members
        ),
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    for cells in (headings, ("---",) * len(headings), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _unanswered(label: LabelFigures) -> str:
    others = {name: n for name, n in sorted(label.outcomes.items()) if name != "answered"}
    return ", ".join(f"{n} {name}" for name, n in others.items()) or "none"


def _constant(found: Baseline) -> tuple[str, str]:
    return _share(found.right), found.answer or "nothing"


def _pairs(found: Pairs) -> tuple[str, ...]:
    p = f"{found.p:.2g}" if found.n else NONE
    rights = (
        f"{right} ({right / found.n:.1%})" if found.n else "0" for right in (found.first_right, found.second_right)
    )
    return str(found.n), *rights, str(found.only_first), str(found.only_second), p


def _share(found: Share) -> str:
    return f"{found.value:.1%} [{found.interval.low:.1%}, {found.interval.high:.1%}]"


def _rate(found: ErrorRate | None) -> str:
    if found is None or found.rate is None:
        return NONE
    interval = found.rate.interval
    return f"{found.rate.value:.1%}" + (f" [{interval.low:.1%}, {interval.high:.1%}]" if interval else "")
