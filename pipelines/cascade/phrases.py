"""Cuts a text that is still being written into phrases that a voice can begin with."""

from __future__ import annotations

import re
from typing import Protocol

FEWEST_WORDS = 3
"""Words in the first phrase: fewer are spoken before the next phrase can be ready."""

# After a letter these marks end a phrase at once. A full stop or a colon may yet go on (3.5, e.g., 12:30, a.b), so it
# counts when white space follows, which costs one more token. Full-width marks stand without white space.
_CLAUSE = re.compile(r"(?<=[^\W\d_])[,;!?]|[,;:.!?…]+[\"'”’)\]]*(?=\s)|[。！？，；：、]|\n")
_SENTENCE = re.compile(r"(?<=[^\W\d_])[!?]|[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]|\n")
FIRST_PHRASES = {"clause": _CLAUSE, "sentence": _SENTENCE}
"""Where the first phrase may end."""

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
    """The first phrase ends at a clause (or a sentence), so that the voice can begin; later ones are sentences.

    Where it cuts depends on the text alone, not on how it was sliced into pieces.
    """

    def __init__(self, first: str = "clause") -> None:
        self._pending = ""
        self._border = FIRST_PHRASES[first]
        self._fewest = FEWEST_WORDS

    def push(self, piece: str) -> list[str]:
        """The phrases that this piece completes."""
        self._pending += piece
        complete = []
        while end := self._end():
            complete.append(self._pending[:end])
            self._pending = self._pending[end:]
            self._border, self._fewest = _SENTENCE, 1
        return complete

    def flush(self) -> list[str]:
        """What is left."""
        left, self._pending = self._pending, ""
        return [left] if left else []

    def _end(self) -> int:
        """Where the first complete phrase ends; 0 if there is none yet."""
        for border in self._border.finditer(self._pending):
            phrase = self._pending[: border.end()]
            if not _ABBREVIATION.search(phrase) and len(_WORD.findall(phrase)) >= self._fewest:
                return border.end()
        return 0


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
