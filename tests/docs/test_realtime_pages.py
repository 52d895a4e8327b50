"""The pages about servers say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from firstpacket.pipelines.remote.realtime import Realtime
from firstpacket.pipelines.remote.realtime.dialect import Dialect, dialects

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/realtime.md").read_text("utf-8")


def test_the_table_of_dialects_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| `?([\w:/. ]*?)`? \| ([a-z_, ]+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (each.name, each.summary, each.url or "its own for each resource", ", ".join(each.turns), each.checked)
        for each in dialects().values()
    ]


def test_every_field_of_a_dialect_and_every_option_is_explained() -> None:
    named = set(re.findall(r"`([\w-]+)`", "\n".join(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))))
    assert {each.name.replace("_", "-") for each in fields(Dialect)} - {"name"} <= named
    assert {option.name for option in Realtime.declaration.options} <= named
    assert {stage.id for stage in Realtime.declaration.stages} <= named


def test_every_trap_is_handled_and_its_test_exists() -> None:
    page = (ROOT / "docs/remote-traps.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.*?) ?\|$", page, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 33))
    for number, _, here, tested in rows:
        named = re.findall(r"`(.+?)`", tested)
        assert named or here.startswith("not applicable: "), number
        for each in named:
            file, _, function = each.partition("::")
            source = (ROOT / "tests" / file).read_text("utf-8")
            assert not function or f"def {function}(" in source, each
