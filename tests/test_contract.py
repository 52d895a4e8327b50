from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import pytest

from firstpacket.bench import contract
from firstpacket.bench.analysis.document import ReportContents
from firstpacket.bench.compare.findings import Report
from firstpacket.bench.contract import SCHEMA, Keyed, Omitted, as_json, computed, document, text
from firstpacket.bench.gate.result import GateResult
from firstpacket.bench.history.history import History
from firstpacket.bench.stats.binomial import share
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.summary.contents import Summary

DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    ms: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    parts: Annotated[tuple[Part, ...], Keyed("name")]
    raw: Omitted[object]
    when: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    note: str = ""

    @computed
    def n(self) -> int:
        """How many."""
        return len(self.parts)

    @property
    def first(self) -> Part:
        return self.parts[0]


def test_a_result_is_its_json() -> None:
    told = as_json(Whole((Part("a", 1.5), Part("b")), object()))
    assert told == {
        "parts": {"a": {"name": "a", "ms": 1.5}, "b": {"name": "b", "ms": None}},
        "when": "2026-01-02T00:00:00+00:00",
        "note": "",
        "n": 2,
    }


def test_a_computed_figure_is_a_property_to_python() -> None:
    assert Whole((Part("a"),), None).n == 1
    assert Whole.n.__doc__ == "How many."


def test_infinity_is_a_word_and_nan_is_refused() -> None:
    assert as_json({"late": math.inf}) == {"late": "infinite"}
    with pytest.raises(ValueError):
        text(as_json({"late": math.nan}))


def test_a_document_says_which_contract_it_keeps_to() -> None:
    told = json.loads(text(document("example", Part("ä"))))
    assert list(told)[:3] == ["schema", "kind", "time_unit"]
    assert (told["schema"], told["kind"], told["name"]) == (SCHEMA, "firstpacket.example", "ä")


def test_estimates_and_shares_have_one_shape() -> None:
    clips = [f"clip {n}" for n in range(8)]
    median, right = estimate([float(n) for n in range(8)], clips), share([n > 2 for n in range(8)], clips)
    for told in map(as_json, (median, right)):
        assert list(told) == ["value", "n", "clusters", "interval"]
        assert list(told["interval"]) == ["low", "high", "level"]
    assert as_json(Estimate(4.0, 2, 2, None))["interval"] is None


def fields_of(kind: Any) -> set[str]:
    """The names of all fields in the JSON of a type, and of what its fields hold."""
    if not is_dataclass(kind):
        return {name for part in get_args(kind) for name in fields_of(part)}
    hints = get_type_hints(kind) | {
        name: get_type_hints(each.of)["return"] for name, each in vars(kind).items() if isinstance(each, computed)
    }
    names = contract.fields(kind)
    return {*names, *(name for own in names for name in fields_of(hints[own]))}


@pytest.mark.parametrize(
    ("pages", "kind"),
    [
        (("json", "compare"), ReportContents),
        (("json",), Summary),
        (("json", "compare"), Report),
        (("json", "history"), History),
        (("json", "gate"), GateResult),
    ],
)
def test_every_field_is_documented(pages: tuple[str, ...], kind: type) -> None:
    text = "".join((DOCS / f"{page}.md").read_text("utf-8") for page in pages)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    said = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}
    assert len(fields_of(kind)) > 10
    assert fields_of(kind) - said == set()
