"""Rows of a data set → candidates for a corpus: safe ids, texts, answers that can be judged, groups to draw from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstpacket.bench.corpus.manifest import option_letter
from firstpacket.bench.corpus.readers.row import Row, text_columns
from firstpacket.bench.errors import UsageError
from firstpacket.bench.vocabulary import AnswerRule
from firstpacket.pipelines.tools.corpora.importing.kinds import ANSWERS, Kind
from firstpacket.pipelines.tools.corpora.importing.source import Part

SPEAKERS = ("speaker", "speaker_id", "client_id", "user_id", "usrid", "spk_id")
"""Names under which data sets keep who speaks."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose of a data set; empty: as its kind says."""

    text: str = ""
    answers: str = ""
    rule: AnswerRule | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording that may be taken."""

    id: str
    row: Row
    """Without its columns."""
    part: Part
    speaker: str
    """As the source names the speaker."""
    category: str
    answers: tuple[str, ...]
    unusable_answers: bool
    """Whether it had answers that the rule cannot judge."""

    @property
    def unit(self) -> str:
        """What is drawn: the recording, or the dialogue that it is a turn of."""
        return self.row.dialogue or self.id


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns in use; empty where there is none."""

    text: str
    answers: str
    rule: AnswerRule
    ambiguous: tuple[str, ...] = ()
    """Columns that could all be what is said."""


def columns_in_use(kind: Kind, subset: str, choice: Choice, row: Row) -> Columns:
    """The columns with texts and answers, judged by the first row. Raises `UsageError` for one that is not there."""
    known = row.columns
    for flag, name in (("--text", choice.text), ("--answers", choice.answers)):
        if name and name not in known:
            raise UsageError(f"{flag} {name}: there is no such column. Columns: {', '.join(known) or 'none'}.")
    if choice.answers and choice.rule is None and not kind.answers:
        raise UsageError(
            f"--answers {choice.answers}: also say when a reply is right, with --rule equals, contains, choice, final"
            " or none; the page quality.md explains the rules."
        )
    possible = text_columns(known)
    named = choice.text or (kind.text if kind.text in known else "")
    own = named or (possible[0] if len(possible) == 1 else "")
    known_answers = (kind.answers, *ANSWERS) if row.turn is None else ()  # those of a dialogue are for its last turn
    answers = choice.answers or next((name for name in known_answers if name and name in known), "")
    rule = choice.rule or kind.rule(subset)
    ambiguous = possible if not own and len(possible) > 1 and row.turn is None else ()
    return Columns(own, answers, rule, ambiguous)


def candidates(kind: Kind, columns: Columns, rows: Iterable[tuple[Part, Row]]) -> Iterator[Candidate]:
    """Every row with an id of its own, which is also the name of its file."""
    used: dict[str, str] = {}
    number: dict[Part, int] = {}
    dialogues: dict[tuple[Part, str], str] = {}
    for part, row in rows:
        count = number[part] = number.get(part, -1) + 1
        answers = _answers(row, columns)
        usable = tuple(answer for answer in answers if _is_usable(answer, columns.rule))
        yield Candidate(
            id=_unique(row.id, f"{_prefix(part)}{count:06d}", used),
            row=_light(row, columns, dialogues, part),
            part=part,
            speaker=row.speaker or _first(row.columns, SPEAKERS),
            category=kind.category(part.subset, part.split, row),
            answers=usable,
            unusable_answers=len(usable) < len(answers),
        )


def _light(row: Row, columns: Columns, dialogues: dict[tuple[Part, str], str], part: Part) -> Row:
    """The row with the text in use and without the rest of its columns, since thousands of rows are in memory."""
    text = row.columns.get(columns.text) if columns.text and row.turn is None else row.text
    dialogue = ""
    if row.dialogue:
        key = (part, row.dialogue)
        if key not in dialogues:
            dialogues[key] = _unique(row.dialogue, f"{_prefix(part)}dialogue", dict.fromkeys(dialogues.values(), ""))
        dialogue = dialogues[key]
    return Row(
        where=row.where,
        id=row.id,
        sound=row.sound,
        text=text.strip() or None if isinstance(text, str) else None,
        start_ms=row.start_ms,
        length_ms=row.length_ms,
        speech_end_ms=row.speech_end_ms,
        dialogue=dialogue,
        turn=row.turn,
    )


def _answers(row: Row, columns: Columns) -> tuple[str, ...]:
    """None for a turn of a dialogue: they are answers to its last turn, which is not asked."""
    value: Any = row.answers or (row.columns.get(columns.answers) if columns.answers and row.turn is None else None)
    several = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(each).strip() for each in several if each is not None and str(each).strip())


def _is_usable(answer: str, rule: AnswerRule) -> bool:
    if rule == "contains":
        return not option_letter(answer)
    return rule != "choice" or bool(option_letter(answer))


def _unique(name: str, otherwise: str, used: dict[str, str]) -> str:
    """A safe name: no path, no hidden file, not too long, and not the same as another where case does not count."""
    safe = _UNSAFE.sub("_", name).strip("._-")[:_LONGEST_ID] or otherwise
    unique, count = safe, 1
    while unique.lower() in used:
        count += 1
        unique = f"{safe}-{count}"
    used[unique.lower()] = unique
    return unique


def _prefix(part: Part) -> str:
    return "".join(f"{_UNSAFE.sub('_', name)}-" for name in (part.subset, part.split) if name)


def _first(columns: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(columns[name]) for name in names if columns.get(name) not in (None, "")), "")


def files_of(parts: Iterable[Part]) -> tuple[Path, ...]:
    """All files of the parts, in order."""
    return tuple(file for part in parts for file in part.files)
