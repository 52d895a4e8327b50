"""docs/gate.md agrees with the code."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from support.command import here

from firstpacket.bench.config import gather
from firstpacket.bench.export.gate import gate_json
from firstpacket.bench.gate.decision import Change, Spread
from firstpacket.bench.gate.limits import Limit, read_limits
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult
from firstpacket.bench.stats.bootstrap import Interval

PAGE = (Path(__file__).resolve().parents[2] / "docs/gate.md").read_text("utf-8")


def test_the_example_config_of_the_page_has_limits_and_run_options(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    file = tmp_path / "bench.toml"
    file.write_text("corpus = 'demo'\n[[pipeline]]\nname = 'scripted'\n" + block[1])
    assert [limit.ceiling_ms for limit in read_limits(file).limits] == [None, 800]
    options = gather({}, file)
    assert (options.corpus, options.pipelines[0].name) == ("demo", "scripted")


@pytest.mark.parametrize(("verdict", "code"), EXIT_CODES.items())
def test_the_page_lists_every_verdict_with_its_exit_code(verdict: str, code: int) -> None:
    assert f"| `{verdict}` | {code} |" in PAGE


def test_the_page_lists_every_field_of_the_json() -> None:
    interval = Interval(1.0, 2.0)
    spread = Spread(1.5, interval, interval, 2.0)
    check = Check("a", Limit(), "same", "so it was", 1, Change(5, 100, 40, spread, spread))
    raw = json.loads(gate_json(GateResult("main", (check,))))
    for name in (*raw, *raw["checks"][0], *(field.name for field in fields(Change))):
        assert f"`{name}`" in PAGE, name


def test_every_flag_of_the_page_exists() -> None:
    for command in ("gate", "baseline save"):
        said = here(*command.split(), "--help").stdout
        for line in re.findall(rf"^bench {command}([^\n#]*)", PAGE, re.MULTILINE):
            for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.sub('".*?"', "", line)):
                assert flag in said, f"bench {command} {flag}"
