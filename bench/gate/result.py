"""The result of a gate: one check per limit and label, the overall verdict, and the exit code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from firstpacket.bench.contract import computed
from firstpacket.bench.gate.decision import Change, Verdict
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.record.rules import LimitReached

EXIT_CODES: dict[Verdict, int] = {
    "improved": 0,
    "same": 0,
    "regressed": 10,
    "inconclusive": 11,
    "no baseline": 12,
    "not comparable": 13,
}
"""1 and 2 are taken by Python and command lines, 1 to 5 by pytest."""

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
    """One limit checked for one label."""

    label: str
    limit: Limit
    verdict: Verdict
    reason: str
    """In one sentence, with the figures behind it."""
    starts: int = 0
    """Starts of fresh processes that it was measured in."""
    change: Change | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    """Dropped pairs, by reason."""
    cpu: Change | None = None
    """The change in CPU time to the first packet: less noisy than the latency; it decides nothing."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """All checks; `allow` names verdicts that pass with a notice."""

    baseline: str
    """What the candidate was compared with, for people."""
    checks: tuple[Check, ...]
    allow: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    minutes: float = 0.0
    """Time of measuring, all starts included."""
    resolution: float = 0.0
    """The slowdown that had to be ruled out, as a share."""
    looks: tuple[int, ...] = ()
    """The numbers of starts after which the gate looked whether checks can be decided."""
    limit_reached: LimitReached | None = None
    """The usage limit that ended it, if one did."""

    @computed
    def verdict(self) -> Verdict:
        """The worst of all checks; `no baseline` without any."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in WORST_FIRST if verdict in found), "no baseline")

    @property
    def failing(self) -> tuple[Check, ...]:
        """Checks that fail and whose verdict is not allowed."""
        return tuple(check for check in self.checks if not passes(check.verdict, self.allow))

    @computed
    def exit_code(self) -> int:
        """0 if all checks pass or their verdicts are allowed, otherwise the code of the worst one."""
        if not self.checks:
            return 0 if passes(self.verdict, self.allow) else EXIT_CODES[self.verdict]
        failing = {check.verdict for check in self.failing}
        return next((EXIT_CODES[verdict] for verdict in WORST_FIRST if verdict in failing), 0)


def passes(verdict: Verdict, allow: Collection[str]) -> bool:
    """Whether a verdict lets CI continue."""
    return EXIT_CODES[verdict] == 0 or verdict.replace(" ", "-") in allow
