"""What a gate found: one check per limit and label, the verdict on all, and the code that a shell sees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from firstpacket.bench.contract import computed
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.verdict import Change, Verdict

EXIT_CODES: dict[Verdict, int] = {
    "improved": 0,
    "same": 0,
    "regressed": 10,
    "inconclusive": 11,
    "no baseline": 12,
    "not comparable": 13,
}
"""1 and 2 are left to Python and to command lines, 1 to 5 to pytest."""

WORST_FIRST: tuple[Verdict, ...] = (
    "regressed",
    "not comparable",
    "no baseline",
    "inconclusive",
    "same",
    "improved",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One limit held against one label."""

    label: str
    limit: Limit
    verdict: Verdict
    reason: str
    """In one sentence, with the figures it rests on."""
    rounds: int = 0
    """How often it was measured."""
    change: Change | None = None
    band: float = 0.0
    lost: dict[str, int] = field(default_factory=dict)
    """Pairs that could not be made, by reason."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """All checks; `allow` names verdicts that pass with a notice."""

    baseline: str
    """What the candidate was held against, for people."""
    checks: tuple[Check, ...]
    allow: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @computed
    def verdict(self) -> Verdict:
        """The worst of all; without any check there was nothing to compare."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in WORST_FIRST if verdict in found), "no baseline")

    @property
    def failing(self) -> tuple[Check, ...]:
        """Checks that fail and are not allowed to."""
        return tuple(check for check in self.checks if not passes(check.verdict, self.allow))

    @computed
    def exit_code(self) -> int:
        """0 if all checks pass or may fail, else the code of the worst that may not."""
        if not self.checks:
            return 0 if passes(self.verdict, self.allow) else EXIT_CODES[self.verdict]
        failing = {check.verdict for check in self.failing}
        return next((EXIT_CODES[verdict] for verdict in WORST_FIRST if verdict in failing), 0)


def passes(verdict: Verdict, allow: Collection[str]) -> bool:
    """Whether a verdict lets CI go on."""
    return EXIT_CODES[verdict] == 0 or verdict.replace(" ", "-") in allow
