"""The result of a gate for machines and people: `gate.json`, `junit.xml` and `gate.md` in its folder."""

from __future__ import annotations

from pathlib import Path

from firstpacket.bench.contract import document, text
from firstpacket.bench.errors import explained
from firstpacket.bench.export.junit import Case, Ending, junit_xml
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult, passes
from firstpacket.bench.gate.state import RESULT
from firstpacket.bench.gate.tables import checks_table
from firstpacket.bench.paths import replace_text
from firstpacket.bench.tables.markdown import Bounds, escaped, page, table_lines

BOUNDS = Bounds(rows=200, characters=600)


def write_gate(result: GateResult, folder: Path) -> tuple[Path, ...]:
    """Write all three. Raises `RunError` if that fails."""
    name = folder.name
    texts = {
        "junit.xml": gate_junit(result, name),
        "gate.md": gate_markdown(result, name),
        RESULT: gate_json(result),
    }
    with explained(f"Cannot write to {folder}"):
        for file, content in texts.items():
            replace_text(folder / file, content)
    return tuple(folder / file for file in texts)


def gate_json(result: GateResult) -> str:
    """The verdict with everything it is based on, as documented in docs/gate.md."""
    found = document("gate", result)
    for told, check in zip(found["checks"], result.checks, strict=True):
        told["passes"] = passes(check.verdict, result.allow)
    return text(found)


def gate_junit(result: GateResult, name: str) -> str:
    """One case per check; an allowed failure is skipped, never passed."""
    return junit_xml(name, [_case(check, result) for check in result.checks])


def gate_markdown(result: GateResult, name: str) -> str:
    """A table of the checks under the verdict."""
    passed = "passes" if result.exit_code == 0 else f"fails with exit code {result.exit_code}"
    heading = f"## {escaped(name, BOUNDS.characters)}: {result.verdict}"
    return page([heading, "", f"The gate {passed}.", "", *table_lines(checks_table(result), BOUNDS)])


def _case(check: Check, result: GateResult) -> Case:
    message = f"{check.verdict}: {check.reason}"
    return Case(f"gate.{check.label}", check.limit.name, _ending(check, result), message)


def _ending(check: Check, result: GateResult) -> Ending:
    if EXIT_CODES[check.verdict] == 0:
        return "passed"
    return "skipped" if passes(check.verdict, result.allow) else "failure"
