"""Which limits are checked for which systems, and the error that each check may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from support.gate_pairs import only, starts
from support.runs import make_run

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.change import FALSE_ALARMS, change
from firstpacket.bench.gate.evaluate import evaluate
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.result import Check
from firstpacket.bench.run.code_version import CodeVersion

LOOK = only(6)


class Pairings:
    """A baseline with which every label has the same pairs."""

    name, source, single_look, notices = "made up", CodeVersion("main", ("python",), {}), False, ()
    change = staticmethod(change)

    def refusal(self, *_: object) -> None: ...

    def pairs(self, *_: object) -> Sequence[Pairs]:
        return starts(6)


def checked(labels: Sequence[str], *limits: Limit) -> dict[tuple[str, Limit], Check]:
    run = make_run({name: [100.0] * 20 + ["timeout"] * 20 for label in labels for name in (label, f"{label}.base")})
    checks = evaluate(run, labels, Limits(limits or (Limit(),)), Pairings(), LOOK)
    return {(check.label, check.limit): check for check in checks}


def test_all_checks_share_the_error_of_the_gate() -> None:
    """Those of a limit, and of answers, for each system."""
    for labels in (["a"], ["a", "b"]):
        look = replace(LOOK, false_alarms=FALSE_ALARMS / (2 * len(labels)))
        assert checked(labels)["a", Limit()].change == change(starts(6), look) != change(starts(6), LOOK)


def test_a_limit_with_a_label_is_for_this_system_alone() -> None:
    of_a = Limit(label="a")
    assert [(label, limit == of_a) for label, limit in checked(["a", "b"], of_a)] == [
        ("a", True),
        ("a", False),
        ("b", False),
    ]


def test_unanswered_turns_of_the_run_exceed_a_ceiling() -> None:
    ceiling = Limit(statistic="p95", ceiling_ms=800)
    check = checked(["a"], ceiling)["a", ceiling]
    assert check.verdict == "regressed" and "20 of them were not answered" in check.reason


def test_only_the_first_packet_is_reported_with_its_cpu_time() -> None:
    whole = Limit("response_latency")
    found = checked(["a"], Limit(), whole)
    assert found["a", Limit()].cpu is not None and found["a", whole].cpu is None
