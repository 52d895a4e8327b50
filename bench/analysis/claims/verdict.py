"""What comes out for one claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["supported", "not supported", "not testable with these runs"]
SUPPORTED: Answer = "supported"
NOT_SUPPORTED: Answer = "not supported"
NOT_TESTABLE: Answer = "not testable with these runs"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim: what is claimed, by which rule it is judged, what was measured, and what came out."""

    number: int
    claim: str
    rule: str
    answer: Answer
    measured: str
    """Figures with their intervals; empty where the run has none that bear on it."""
    needed: str = ""
    """Of a claim that is not testable: what would make it so."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim and the rule by which it is judged."""

    number: int
    said: str
    rule: str

    def supported(self, measured: str) -> Verdict:
        """The figures say so."""
        return Verdict(self.number, self.said, self.rule, SUPPORTED, measured)

    def not_supported(self, measured: str) -> Verdict:
        """The figures say otherwise."""
        return Verdict(self.number, self.said, self.rule, NOT_SUPPORTED, measured)

    def not_testable(self, needed: str, measured: str = "") -> Verdict:
        """The figures say neither."""
        return Verdict(self.number, self.said, self.rule, NOT_TESTABLE, measured, needed)
