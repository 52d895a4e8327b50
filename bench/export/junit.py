"""JUnit XML, as CI services read it: a writer for cases, and a run as cases.

testsuites > testsuite {name tests failures errors skipped time} > testcase {classname name time}
                                                                   > failure | error | skipped {message} text
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean_xml
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.vocabulary import Outcome, shown_outcomes

Ending = Literal["passed", "failure", "error", "skipped"]
LONGEST_LIST = 20
"""The most turns that a case lists with their reasons."""
ENDINGS: dict[Outcome, Ending] = {
    "answered": "passed",
    "interrupted": "skipped",
}
"""The result of a case, by outcome of its turns; of all others it is a failure."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `message` says in one line why it did not pass; `details` has the rest."""

    classname: str
    name: str
    ending: Ending = "passed"
    message: str = ""
    details: str = ""
    time_s: float | None = None


def junit_xml(suite: str, cases: Sequence[Case]) -> str:
    """A document with one suite. Characters that XML does not allow become U+FFFD."""
    ended = {ending: sum(case.ending == ending for case in cases) for ending in ("failure", "error", "skipped")}
    counts = {
        "name": clean_xml(suite),
        "tests": str(len(cases)),
        "failures": str(ended["failure"]),
        "errors": str(ended["error"]),
        "skipped": str(ended["skipped"]),
        "time": f"{sum(case.time_s or 0 for case in cases):.6f}",
    }
    suites = ElementTree.Element("testsuites", {"name": "firstpacket"})
    listed = ElementTree.SubElement(suites, "testsuite", counts)
    for case in cases:
        _add(listed, case)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, "unicode") + "\n"


def junit(run: Run) -> str:
    """Whether the run is valid; per system every outcome, and whether it is complete. Raises as `summarise`."""
    summary = summarise(run)
    cases = [_valid(summary), *(case for label in summary.labels for case in _cases(run, label))]
    return junit_xml(run.manifest.run, cases)


def _add(suite: ElementTree.Element, case: Case) -> None:
    named = {"classname": clean_xml(case.classname), "name": clean_xml(case.name)}
    if case.time_s is not None:
        named["time"] = f"{case.time_s:.6f}"
    element = ElementTree.SubElement(suite, "testcase", named)
    if case.ending != "passed":
        why = ElementTree.SubElement(element, case.ending, {"message": clean_xml(case.message)})
        why.text = clean_xml(case.details or case.message)


def _valid(summary: Summary) -> Case:
    if not summary.invalid:
        return Case(summary.run, "valid")
    return Case(summary.run, "valid", "error", f"the run is invalid: {'; '.join(summary.invalid)}")


def _cases(run: Run, label: LabelSummary) -> list[Case]:
    classname = f"{run.manifest.run}.{label.label}"
    turns = run.measured(label.label)
    return [
        *(_outcome(classname, label, outcome, turns) for outcome in shown_outcomes([label.outcomes["measured"]])),
        _finished(classname, label),
    ]


def _outcome(classname: str, label: LabelSummary, outcome: Outcome, turns: Sequence[Turn]) -> Case:
    """The case of one outcome; that of `answered` carries the median first packet as its time."""
    found = [turn for turn in turns if turn.outcome == outcome]
    if outcome == "answered":
        p50 = label.figures[HEADLINE].p50
        if p50 is None:
            return Case(classname, outcome, "failure", f"none of {label.measured} measured turns was answered")
        return Case(classname, outcome, time_s=max(0.0, p50.value / 1000))
    if not found:
        return Case(classname, outcome)
    message = f"{len(found)} of {label.measured} measured turns: {outcome}"
    return Case(classname, outcome, ENDINGS.get(outcome, "failure"), message, "\n".join(_listed(found)))


def _listed(turns: Sequence[Turn]) -> list[str]:
    lines = [f"turn {turn.turn}, {turn.utterance}: {turn.reason or turn.outcome}" for turn in turns[:LONGEST_LIST]]
    return lines if len(turns) <= LONGEST_LIST else [*lines, f"and {len(turns) - LONGEST_LIST} more"]


def _finished(classname: str, label: LabelSummary) -> Case:
    if label.measured >= label.planned:
        return Case(classname, "finished")
    message = f"{label.measured} of {label.planned} planned measured turns: the run is unfinished"
    return Case(classname, "finished", "error", message)
