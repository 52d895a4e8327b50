"""LocalAgreement-2: which words of a hypothesis that still grows may be trusted.

A word is committed when two hypotheses in a row, each over more speech than the one before, agree on it and on all
words before it; committed words are never revised. D. Liu, G. Spanakis, J. Niehues: Low-Latency Sequence-to-Sequence
Speech Recognition and Translation by Partial Hypothesis Selection (Interspeech 2020), section 3; for Whisper:
D. Macháček, R. Dabre, O. Bojar: Turning Whisper into Real-Time Transcription System (2023), arXiv 2307.14743.
"""

from __future__ import annotations

import re

_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Japanese and Chinese characters: no spaces say where their words end."""

_UNIT = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)")
"""A word, or a character of the scripts above, with the space before it."""


class Agreement:
    """The words that were committed so far, and the last hypothesis about those that follow."""

    def __init__(self) -> None:
        self.committed = ""
        self._pending: list[str] = []

    @property
    def text(self) -> str:
        """The latest hypothesis of the whole: what is committed, and what may still change."""
        return self.committed + "".join(self._pending)

    def update(self, tail: str) -> None:
        """A new hypothesis: the text after the committed words. Commits what it has in common with the last one."""
        said = units(tail)
        agreed = 0
        for before, now in zip(self._pending, said, strict=False):
            if before != now:
                break
            agreed += 1
        self.committed += "".join(said[:agreed])
        self._pending = said[agreed:]


def units(text: str) -> list[str]:
    """What is committed one at a time. Joined they are the text, but for spaces at its end."""
    return _UNIT.findall(text)
