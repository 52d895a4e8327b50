"""The verdict on one claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["supported", "supported for some systems", "not supported", "not testable with these runs"]
SUPPORTED: Answer = "supported"
FOR_SOME: Answer = "supported for some systems"
NOT_SUPPORTED: Answer = "not supported"
NOT_TESTABLE: Answer = "not testable with these runs"
MORE_CLIPS = "more clips: the interval is too wide to decide"
WHOLE_TURNS = "whole turns: these ended after their first packet"


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

    def judged(self, measured: str, supported: bool, contradicted: bool, needed: str = MORE_CLIPS) -> Verdict:
        """What the figures say; where they decide neither way, what is needed."""
        if supported or contradicted:
            return Verdict(self.number, self.said, self.rule, SUPPORTED if supported else NOT_SUPPORTED, measured)
        return self.not_testable(needed, measured)

    def holds_for_some(self, measured: str) -> Verdict:
        """Some systems bear the claim out and others do not; `measured` says which."""
        return Verdict(self.number, self.said, self.rule, FOR_SOME, measured)

    def not_testable(self, needed: str, measured: str = "") -> Verdict:
        """The run is no test."""
        return Verdict(self.number, self.said, self.rule, NOT_TESTABLE, measured, needed)
