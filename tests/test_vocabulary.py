"""Flags, marks and kinds stand in one registry: pages say what it says, and code does not name them by literals."""

from __future__ import annotations

import re
from typing import get_args

from support.command import ROOT

from firstpacket.bench.vocabulary import STAGE_KINDS, KnownMark, StageKind

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
