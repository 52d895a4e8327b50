"""Cuts a text that is still being written into phrases that a voice can begin with."""

from __future__ import annotations

import re
from itertools import islice
from typing import Protocol

from firstpacket.bench.errors import UsageError

FEWEST_WORDS = 3
"""Words in the first phrase: fewer are spoken before the next phrase can be ready."""

# After a letter these marks end a phrase at once. A full stop or a colon may yet go on (3.5, e.g., 12:30, a.b), so it
# counts when white space follows, which costs one more token. Full-width marks stand without white space.
_CLAUSE = re.compile(r"(?<=[^\W\d_])[,;!?]|[,;:.!?…]+[\"'”’)\]]*(?=\s)|[。！？，；：、]|\n")
_SENTENCE = re.compile(r"(?<=[^\W\d_])[!?]|[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]|\n")
_FIRST = {"clause": _CLAUSE, "sentence": _SENTENCE}
MOST_WORDS = 50

_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-HJ-Z]|(?:[a-z]\.)+[a-z]|"
    r"dr|mr|mrs|ms|prof|st|vs|etc|approx|no|vol|fig|jr|sr|inc|ltd|co|dept|gen|sen|rep|rev|hon|capt|col|lt)\.$",
    re.IGNORECASE,
)
# In scripts without spaces each sign counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w[\w'’.-]*")


class Splitter(Protocol):
    """Takes a text piece by piece and gives it back in phrases; joined they are the text."""

    def push(self, piece: str) -> list[str]:
        """The phrases that this piece completes."""
        ...

    def flush(self) -> list[str]:
        """What is left when the text has ended: one phrase or none."""
        ...


class Phrases:
    """The first phrase ends early, so that the voice can begin; later ones are sentences.

    `first` says where: `clause`, `sentence`, or a number of words, after which it ends if no clause ended before.
    Where it cuts depends on the text alone, not on how it was sliced into pieces. Raises `UsageError` for another rule.
    """

    def __init__(self, first: str = "clause") -> None:
        self._pending = ""
        self._most = _words(first)
        self._border = _FIRST.get(first, _CLAUSE)
        self._fewest = min(FEWEST_WORDS, self._most or FEWEST_WORDS)

    def push(self, piece: str) -> list[str]:
        """The phrases that this piece completes."""
        self._pending += piece
        complete = []
        while end := self._end():
            complete.append(self._pending[:end])
            self._pending = self._pending[end:]
            self._border, self._fewest, self._most = _SENTENCE, 1, None
        return complete

    def flush(self) -> list[str]:
        """What is left."""
        left, self._pending = self._pending, ""
        return [left] if left else []

    def _end(self) -> int:
        """Where the first complete phrase ends; 0 if there is none yet."""
        longest, until = self._end_of_most()
        for border in self._border.finditer(self._pending, 0, until):
            phrase = self._pending[: border.end()]
            if not _ABBREVIATION.search(phrase) and len(_WORD.findall(phrase)) >= self._fewest:
                return border.end()
        return longest

    def _end_of_most(self) -> tuple[int, int]:
        """Where the last word ends that the first phrase may have, and where the next one begins.

        0 and the end of the text while more may follow, or without a limit.
        """
        words = list(islice(_WORD.finditer(self._pending), self._most + 1)) if self._most is not None else []
        if self._most is None or len(words) <= self._most:
            return 0, len(self._pending)
        return words[self._most - 1].end(), words[self._most].start()


def check_first_phrase(first: str) -> None:
    """Raises `UsageError` for a rule that `Phrases` does not know."""
    Phrases(first)


def _words(first: str) -> int | None:
    """The number of words that a rule sets; `None` for the rules that have a name."""
    if first in _FIRST:
        return None
    if not first.isdecimal() or not 1 <= int(first) <= MOST_WORDS:
        raise UsageError(
            f"first-phrase is '{first}', but it must be clause, sentence, or a number from 1 to {MOST_WORDS}."
        )
    return int(first)


class Whole:
    """The whole text as one phrase."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def push(self, piece: str) -> list[str]:
        """Nothing is complete before the end."""
        self._pieces.append(piece)
        return []

    def flush(self) -> list[str]:
        """The text."""
        whole = "".join(self._pieces)
        return [whole] if whole else []
