from __future__ import annotations

import pytest

from firstpacket.bench.export.junit import Case, junit, junit_xml
from firstpacket.bench.record.store import Run

junitparser = pytest.importorskip("junitparser")


def cases(xml: str) -> dict[str, tuple[str, str]]:
    """Per case: how it ended, and what it says, as a reader of CI services sees it."""
    found = {}
    for suite in junitparser.JUnitXml.fromstring(xml.encode()):
        for case in suite:
            result = case.result[0] if case.result else None
            found[f"{case.classname}.{case.name}"] = (
                type(result).__name__ if result else "passed",
                result.message if result else "",
            )
    return found


def test_a_label_that_did_not_answer_every_turn_is_red(run: Run) -> None:
    found = cases(junit(run))
    assert found["made.quick.answered"] == found["made.quick.timeout"] == found["made.quick.finished"] == ("passed", "")
    assert found["made.slow.timeout"] == ("Failure", "1 of 4 measured turns: timeout")
    assert found["made.slow.failed"][0] == "Failure"
    assert found["made.slow.answered"][0] == "passed"
    assert found["made.never.answered"] == ("Failure", "none of 2 measured turns was answered")
    assert found["made.never.silent"][0] == "Failure"
    assert found["made.never.interrupted"][0] == "Skipped"
    assert found["made.never.finished"] == (
        "Error",
        "2 of 64 planned measured turns: the run is unfinished",
    )


def test_the_suite_counts_its_cases_and_times_are_seconds(run: Run) -> None:
    (suite,) = junitparser.JUnitXml.fromstring(junit(run).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (19, 4, 2, 1)
    answered = {case.classname: case.time for case in suite if case.name == "answered" and case.time}
    assert answered == {"made.quick": pytest.approx(0.1315), "made.slow": pytest.approx(0.4)}


def test_hostile_texts_stay_texts(hostile: Run) -> None:
    (suite,) = junitparser.JUnitXml.fromstring(junit(hostile).encode())
    (failed,) = [case.result[0] for case in suite if case.name == "failed" and case.result]
    assert "<script>alert(1)</script>" in failed.text
    assert "\ufffe" not in junit(hostile)


def test_a_case_may_end_in_every_way() -> None:
    endings = ("passed", "failure", "error", "skipped")
    xml = junit_xml("gate", [Case("gate", ending, ending, "said \x00 & <so>") for ending in endings])
    assert [ending for ending, _ in cases(xml).values()] == ["passed", "Failure", "Error", "Skipped"]
    assert cases(xml)["gate.error"][1] == "said \ufffd & <so>"
