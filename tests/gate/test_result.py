import pytest

from firstpacket.bench.gate.decision import Verdict
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult


def result(*verdicts: Verdict, allow: tuple[str, ...] = ()) -> GateResult:
    return GateResult("main", tuple(Check("direct", Limit(), verdict, "why") for verdict in verdicts), allow)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (result("same", "improved"), 0),
        (result("same", "regressed"), 10),
        (result("inconclusive", "same"), 11),
        (result("no baseline"), 12),
        (result("not comparable", "inconclusive"), 13),
        (result("not comparable", "regressed"), 10),
        (result("inconclusive", allow=("inconclusive",)), 0),
        (result("inconclusive", "no baseline", allow=("inconclusive",)), 12),
        (result("regressed", allow=("inconclusive", "no-baseline")), 10),
        (result(), 12),
        (result(allow=("no-baseline",)), 0),
    ],
)
def test_the_exit_code_is_that_of_the_worst_verdict_not_allowed(found: GateResult, code: int) -> None:
    assert found.exit_code == code


def test_only_same_and_faster_pass_without_being_allowed() -> None:
    assert {verdict for verdict, code in EXIT_CODES.items() if code == 0} == {"same", "improved"}
    assert not set(EXIT_CODES.values()) & {1, 2, 3, 4, 5}


def test_the_overall_verdict_is_the_worst_one() -> None:
    assert result("improved", "same").verdict == "same"
    assert result("same", "inconclusive", "regressed").verdict == "regressed"
