"""Keeps the key out of what a server says: it may echo it, and replies are recorded."""

from __future__ import annotations

MASK = "[key]"
LEAST = 4
"""Characters of the key that a text must end with to be held back: fewer occur in ordinary words."""


def hidden(text: str, key: str) -> str:
    """The text without the key."""
    return text.replace(key, MASK) if key else text


class KeyFilter:
    """Removes the key from a text that comes in pieces, however they split it, but for its first characters."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._given = ""
        """The last characters that were given: the key may have begun there."""
        self._held = ""

    def push(self, piece: str) -> str:
        """What is certain not to be the key."""
        if not self._key:
            return piece
        self._held += piece
        self._cut_given()
        self._held = hidden(self._held, self._key)
        return self._release(len(self._held) - self._beginning())

    def flush(self) -> str:
        """What is left at the end."""
        return self._release(len(self._held))

    def _cut_given(self) -> None:
        """Mask the rest of a key whose beginning was given already."""
        at = (self._given + self._held).find(self._key)
        if 0 <= at < len(self._given):
            self._held = MASK + self._held[at + len(self._key) - len(self._given) :]

    def _beginning(self) -> int:
        """How many of the last characters held are the beginning of the key, with those given before them."""
        joined = self._given + self._held
        for length in range(min(len(self._key), len(joined)), LEAST - 1, -1):
            if self._key.startswith(joined[-length:]):
                return min(length, len(self._held))
        return 0

    def _release(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        self._given = (self._given + text)[1 - LEAST :]
        return text
