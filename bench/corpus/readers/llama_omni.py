"""Questions in the forms of LLaMA-Omni's evaluation: a list of objects in question.json (1) or questions.json (2).

1   {"id": ..., "speech": ..., "conversations": [...]}      the prompt is there, what is said is not
2   {"id": ..., "conversation": [{"from": "human", "text": ..., "speech": ...}, {"from": "gpt", ...}, ...]}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstpacket.bench.corpus.manifest import inside, parse_json, read_text
from firstpacket.bench.corpus.readers.row import Reader, Row
from firstpacket.bench.errors import CorpusError

FILES = ("question.json", "questions.json")
USERS = ("human", "user")


def rows(path: Path) -> Iterator[Row]:
    """One row per question, or per turn of the user. Raises `CorpusError` with the item's number."""
    items = parse_json(read_text(path), str(path))
    if not isinstance(items, list):
        raise CorpusError(f"{path}: is not a list of questions. Each needs an id and a speech file.")
    for number, item in enumerate(items):
        where = f"{path}[{number}]"
        if isinstance(item, dict) and "conversation" in item:
            yield from _conversation(path.parent, item, where)
        else:
            name = _field(item, "id", where)
            yield Row(
                where=where, id=name, sound=inside(path.parent, _field(item, "speech", where), where), columns=item
            )


def _conversation(folder: Path, item: dict[str, Any], where: str) -> Iterator[Row]:
    """The user's turns; a conversation of one is a single question."""
    name, said = _field(item, "id", where), item["conversation"]
    if not isinstance(said, list) or not all(isinstance(turn, dict) for turn in said):
        raise CorpusError(f"{where}: 'conversation' is not a list of turns, each with from, text and speech.")
    turns = [turn for turn in said if turn.get("from") in USERS]
    if not turns:
        raise CorpusError(f"{where}: has no turn of the user. A turn is from {' or '.join(USERS)}.")
    for number, turn in enumerate(turns):
        text = turn.get("text")
        yield Row(
            where=where,
            id=f"{name}-{number}" if len(turns) > 1 else name,
            sound=inside(folder, _field(turn, "speech", where), where),
            text=text.strip() or None if isinstance(text, str) else None,
            dialogue=name if len(turns) > 1 else "",
            turn=number if len(turns) > 1 else None,
            columns=turn,
        )


def _field(item: Any, name: str, where: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, str):
        raise CorpusError(f"{where}: '{name}' is missing or not text. Each question needs an id and a speech file.")
    return value


def _find(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in FILES if (folder / name).is_file())


READER = Reader("llama-omni", _find, rows)
