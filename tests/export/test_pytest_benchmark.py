"""The plugin's own commands on what `bench export` writes, and the test file that docs/exports.md shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.runs import Timings, make_run, write_run

from firstpacket.bench.export.formats import write_export
from firstpacket.bench.export.pytest_benchmark import pytest_benchmark, stats
from firstpacket.bench.record.store import Run, read_run

ROOT = Path(__file__).resolve().parents[2]
plugin = pytest.importorskip("pytest_benchmark.stats")


def test_rounds_are_first_packets_in_seconds_and_the_rest_is_extra(run: Run) -> None:
    said = json.loads(pytest_benchmark(run))
    quick, slow = said["benchmarks"]  # `never` has no time that could be compared
    assert quick["stats"]["data"] == pytest.approx([0.1 + at / 1000 for at in range(64)])
    assert slow["stats"]["data"] == [0.3, 0.5]
    assert slow["extra_info"]["outcomes"]["timeout"] == 1
    assert set(quick["extra_info"]["percentiles_ms"]["first_packet_latency"]) == {"p50", "p50_low", "p50_high", "p90"}
    assert slow["extra_info"]["percentiles_ms"]["first_packet_latency"] == {"p50": 400.0}
    assert slow["extra_info"]["path_ms"]["asr.host"] == pytest.approx(400 / 3)
    assert said["machine_info"]["gpu"] == {"name": "Some GPU", "memory_mib": 80, "driver": "580.1"}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 64])
def test_statistics_are_the_plugins(count: int) -> None:
    times = [0.1 + (at * 37 % 11) / 100 + (2.0 if at == 5 else 0.0) for at in range(count)]
    theirs = plugin.Stats()
    for time in times:
        theirs.update(time)
    assert stats(times) == {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in theirs.as_dict().items()
    }


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs and their exports; the third is 20 % slower than the first, and the second is not."""
    folder = tmp_path_factory.mktemp("week")
    for name, factor in (("monday", 1.0), ("tuesday", 1.02), ("wednesday", 1.2)):
        values: Timings = {"direct": [factor * (100 + at) for at in range(8)], "cascade": [400.0] * 8}
        write_run(folder / name, make_run(values, run=name))
        write_export(read_run(folder / name), "pytest-benchmark", folder / f"{name}.json")
    code = re.search(r"```python\n(# test_voice.py\n.*?)```", (ROOT / "docs/exports.md").read_text("utf-8"), re.DOTALL)
    assert code is not None
    (folder / "test_voice.py").write_text(code[1])
    return folder


def said(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_plugins_own_command_compares_two_exports(week: Path) -> None:
    columns = "--columns=median,iqr,rounds"
    compared = said(week, "pytest_benchmark", "compare", "monday.json", "wednesday.json", columns)
    assert compared.returncode == 0, compared.stderr
    medians = dict(re.findall(r"(test_first\S+\[direct\]) \(\S*?(?:monday|wednesday)\S*\)\s+([\d.]+)", compared.stdout))
    assert medians, compared.stdout
    assert "4 tests" in compared.stdout
    assert "Failed to load" not in compared.stderr


@pytest.mark.parametrize(("later", "code"), [("tuesday", 0), ("wednesday", 1)])
def test_a_limit_of_the_plugin_holds_between_a_run_and_an_export(week: Path, later: str, code: int) -> None:
    limit = ("--benchmark-compare=monday.json", "--benchmark-compare-fail=median:10%")
    tested = said(week, "pytest", "test_voice.py", "-q", "-p", "pytest_benchmark.plugin", *limit, RUN=later)
    assert tested.returncode == code, tested.stdout + tested.stderr
    blamed = re.findall(r"latency\[(\w+)\]\S* .*- Field 'median' has failed", tested.stdout + tested.stderr)
    assert set(blamed) == ({"direct"} if code else set()), tested.stderr
    assert tested.stdout.startswith("..")
