"""The verdict on one claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["supported", "not supported", "not testable with these runs"]
SUPPORTED: Answer = "supported"
NOT_SUPPORTED: Answer = "not supported"
NOT_TESTABLE: Answer = "not testable with these runs"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim: its text, the rule for the verdict, what was measured, and the verdict."""

    number: int
    claim: str
    rule: str
    answer: Answer
    measured: str
    """Relevant figures with their intervals; empty if the run has none."""
    needed: str = ""
    """Of a claim that is not testable: what is needed to test it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim and the rule for its verdict."""

    number: int
    said: str
    rule: str

    def supported(self, measured: str) -> Verdict:
        """The figures support it."""
        return Verdict(self.number, self.said, self.rule, SUPPORTED, measured)

    def not_supported(self, measured: str) -> Verdict:
        """The figures contradict it."""
        return Verdict(self.number, self.said, self.rule, NOT_SUPPORTED, measured)

    def not_testable(self, needed: str, measured: str = "") -> Verdict:
        """The figures decide neither way."""
        return Verdict(self.number, self.said, self.rule, NOT_TESTABLE, measured, needed)
