"""Flags, marks and kinds are in one registry: documents agree with it, and code does not use literals."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from support.command import ROOT
from support.runs import make_turn

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.record.schema import Turn, TurnResult
from firstpacket.bench.vocabulary import OUTCOMES, STAGE_KINDS, Flag, KnownMark, Outcome, StageKind

PAGE = (ROOT / "docs/metrics.md").read_text("utf-8")


def rows(heading: str) -> dict[str, str]:
    """The rows of the table under a heading row, by their first cell."""
    table = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.MULTILINE))


def test_every_kind_of_stage_is_explained() -> None:
    assert set(STAGE_KINDS) == set(get_args(StageKind))
    assert rows("kind") == STAGE_KINDS


def test_every_mark_is_explained() -> None:
    assert rows("mark") == {mark.value: mark.meaning for mark in KnownMark}


def test_every_outcome_is_explained() -> None:
    assert set(OUTCOMES) == set(get_args(Outcome))
    assert rows("outcome") == OUTCOMES


def test_every_flag_is_explained() -> None:
    assert rows("flag") == {flag.value: f"{flag.meaning} | {flag.source}" for flag in Flag}


SOURCES = [path for package in ("bench", "pipelines") for path in sorted((ROOT / package).rglob("*.py"))]
NAMES = {*Flag, *(mark for mark in KnownMark if mark != KnownMark.ENDPOINT)}
"""All but one mark, whose name is a stage's, an option's and a start's, too."""


def test_no_flag_and_no_mark_is_a_literal_elsewhere() -> None:
    found = {path: literals(path) & NAMES for path in SOURCES if path.name != "vocabulary.py"}
    assert not {str(path): names for path, names in found.items() if names}


def literals(path: Path) -> set[str]:
    constants = (node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def test_every_flag_is_raised_somewhere() -> None:
    code = "".join(path.read_text("utf-8") for path in SOURCES if path.name not in ("vocabulary.py", "notices.py"))
    assert not [flag.name for flag in Flag if f"Flag.{flag.name}" not in code]


@pytest.mark.parametrize("kind", [Turn, TurnResult])
def test_a_flag_that_is_not_registered_is_read_from_nowhere(kind: type) -> None:
    with pytest.raises(DecodeError, match=r"flags\[1\]: expected one of truncated, .*, found text 'heat_wave'"):
        decode(kind, {**whole(kind), "flags": ["paged", "heat_wave"]})
    assert decode(kind, {**whole(kind), "flags": ["paged"]}).flags == (Flag.PAGED,)


def whole(kind: type) -> dict[str, object]:
    """All that the record needs."""
    return {"turn": 1, "outcome": "answered"} if kind is TurnResult else encode(make_turn())
