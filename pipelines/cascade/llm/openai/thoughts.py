"""The answer in a reply, without the thoughts that a reasoning model writes before it.

Servers that know their model put thoughts into a field of their own. Others leave them in the text, between tags, or
before a closing tag alone, when the model's template wrote the opening one into the prompt.
"""

from __future__ import annotations

import re

NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "reason", "analysis", "reflection", "scratchpad")
PAIRS = (
    *((f"<{name}>", f"</{name}>") for name in NAMES),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
    ("<|channel|>commentary", "<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis", "<|channel|>final<|message|>"),
)
"""What opens thoughts, and what closes them."""
STRIPPED = "assistantfinal"
"""What is left of the last closing tag above when a server removes special tokens: `analysisThe user
asks ...assistantfinalYes.`"""
CLOSINGS = (*dict.fromkeys(closing for _, closing in PAIRS), STRIPPED)
NOISE = ("<|return|>", "<|begin_of_solution|>", "<|end_of_solution|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>")
"""Tags around the answer; they are not spoken."""

_OPENS = {opening.lower(): closing for opening, closing in PAIRS}
_TAGS = tuple(sorted((*_OPENS, *(tag.lower() for tag in (*CLOSINGS, *NOISE))), key=len, reverse=True))
_ANY_TAG = re.compile("|".join(map(re.escape, _TAGS)), re.IGNORECASE)
_CLOSING = re.compile("|".join(map(re.escape, CLOSINGS)), re.IGNORECASE)
_LONGEST = max(map(len, _TAGS))
_FIRST = frozenset(tag[0] for tag in _TAGS if not tag[0].isalpha())
"""Marks at which text waits for the next piece: they may begin a tag."""


class Thoughts:
    """Removes thoughts from a reply as it comes.

    With `unopened`, the model is known to close thoughts that it never opens: nothing is certain to be the answer until
    the closing tag is there.
    """

    def __init__(self, unopened: bool = False) -> None:
        self._held = ""
        self._closing: re.Pattern[str] | None = _CLOSING if unopened else None
        """What ends the thoughts that the reply is in."""
        self._opening = ""
        """The tag that opened them."""
        self._unopened = unopened
        self.thought = False
        """Whether there were thoughts."""
        self._answered = False
        """Whether a part of the answer has been given."""
        self._recent = ""
        """The end of what was given."""
        self.closed_unopened = False
        """Whether a closing tag came that no opening tag belongs to."""
        self.unclear = False
        """Whether thoughts may have been given as the answer, or an answer was held back as if it were thoughts."""

    def push(self, piece: str) -> str:
        """The part of the answer that is certain after this piece; empty during thoughts."""
        self._held += piece
        said = ""
        if self._closing is None:
            self._find_stripped()
        while (found := (self._closing or _ANY_TAG).search(self._held)) is not None:
            before, tag, self._held = self._held[: found.start()], found.group(), self._held[found.end() :]
            if self._closing is None:
                said += self._given(before)
            self._pass(tag)
        if self._closing is None:
            ready = len(self._held) - _waiting(self._held)
            said += self._given(self._held[:ready])
            self._held = self._held[ready:]
        elif not self._unopened and not self._answered:
            self._held = self._held[-_LONGEST:]
        return said

    def flush(self, cut_off: bool) -> str:
        """What is left at the reply's end. `cut_off`: it ended because it was too long.

        Thoughts that were never closed are no answer. But if the reply was not cut off, text after a tag in the middle
        of an answer is, and so is a whole reply that was held back for a closing tag.
        """
        left, self._held = self._held, ""
        if self._closing is not None:
            whole = self._unopened and not cut_off and bool(left.strip())
            self.unclear |= whole
            if not whole and (cut_off or not self._answered):
                self.thought |= bool(left.strip())
                return ""
            self._closing, left = None, self._opening + left
        return self._given(left)

    def _pass(self, found: str) -> None:
        """Go on behind a tag."""
        tag = found.lower()
        if self._closing is not None:
            self.closed_unopened |= self._unopened
            self._closing, self._unopened, self.thought = None, False, True
        elif tag in _OPENS:
            self._closing, self.thought = re.compile(re.escape(_OPENS[tag]), re.IGNORECASE), True
            self._opening = found
        elif tag in _CLOSED:
            self.closed_unopened = self.thought = True
            self.unclear |= self._answered

    def _find_stripped(self) -> None:
        """Find the one tag that is made of letters, and so is not waited for: its beginning was given already."""
        joined = self._recent + self._held
        at = joined.lower().find(STRIPPED)
        if 0 <= at < len(self._recent):
            self._held = joined[at + len(STRIPPED) :]
            self._pass(STRIPPED)

    def _given(self, text: str) -> str:
        if self.thought and not self._answered:
            text = text.lstrip()
        self._answered |= bool(text.strip())
        self._recent = (self._recent + text)[1 - len(STRIPPED) :]
        return text


_CLOSED = frozenset(closing.lower() for closing in CLOSINGS)


def _waiting(text: str) -> int:
    """How many of the last characters may begin a tag."""
    tail = text[-_LONGEST:].lower()
    for start, mark in enumerate(tail):
        if mark in _FIRST and any(tag.startswith(tail[start:]) for tag in _TAGS):
            return len(tail) - start
    return 0
