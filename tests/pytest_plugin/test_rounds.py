"""First packets as rounds of pytest-benchmark: stored runs, the plugin's own options, exit codes by number."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command import write_clips
from support.runs import LATE, Timings, make_run, write_run

import firstpacket.bench.environment
from firstpacket.bench.environment import Gpu
from firstpacket.bench.export.pytest_benchmark import pytest_benchmark
from firstpacket.bench.record.store import read_run

pytest_plugins = ["pytester"]
pytest.importorskip("pytest_benchmark")

ROOT = Path(__file__).resolve().parents[2]
OURS = ("-p", "firstpacket.pytest_plugin")
THEIRS = ("-p", "pytest_benchmark.plugin")

STORED = """
import os
import pytest

@pytest.mark.benchmark(group="voice")
@pytest.mark.parametrize("label", ["direct", "cascade"])
def test_first_packet(voice_rounds, label):
    assert voice_rounds(run=os.environ["RUN"], label=label).pipeline == "scripted"
"""


class Week:
    """Stored runs (the one of Wednesday is 20 % slower), and a test that replays one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gpu = {"gpu0": "Some GPU", "gpu0_memory_mib": 80, "gpu_driver": "580.1"}
        for name, factor in (("monday", 1.0), ("tuesday", 1.02), ("wednesday", 1.2)):
            values: Timings = {
                "direct": [*(factor * (100 + at) for at in range(16)), "timeout"],
                "cascade": [400.0] * 17,
            }
            write_run(folder / name, make_run(values, run=name, environment=gpu))
        write_run(folder / "silent", make_run({"direct": ["timeout"] * 4, "cascade": [400.0] * 4}, run="silent"))
        write_run(folder / "late", make_run({"direct": [100.0] * 4, "cascade": [400.0] * 4}, run="late", turn=LATE))
        (folder / "test_voice.py").write_text(STORED)

    def shell(self, *words: str, run: str = "monday") -> subprocess.CompletedProcess[str]:
        """pytest in a separate process, as CI starts it."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "RUN": run}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *OURS, *THEIRS, *words, "test_voice.py"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return Week(tmp_path_factory.mktemp("week"))


class Inner:
    """pytest in this process, which is much faster."""

    def __init__(self, week: Week, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.week, self._pytester, self._monkeypatch = week, pytester, monkeypatch

    def pytest(
        self, *words: str, run: str = "monday", file: str = "test_voice.py", plugins: tuple[str, ...] = THEIRS
    ) -> pytest.RunResult:
        self._monkeypatch.setenv("RUN", str(self.week.folder / run))
        where = (f"--rootdir={self.week.folder}", str(self.week.folder / file))
        return self._pytester.runpytest_inprocess(*OURS, *plugins, *words, *where)


@pytest.fixture
def inner(week: Week, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Inner(week, pytester, monkeypatch)


def test_every_first_packet_is_a_round_and_the_rest_is_extra_info(inner: Inner) -> None:
    inner.pytest(f"--benchmark-json={inner.week.folder / 'written.json'}").assert_outcomes(passed=2, warnings=1)
    written = inner.week.json("written.json")
    direct, cascade = written["benchmarks"]
    assert direct["fullname"] == "test_voice.py::test_first_packet[direct]"
    assert direct["stats"]["data"] == pytest.approx([0.1 + at / 1000 for at in range(16)])
    assert cascade["stats"]["rounds"] == 17
    assert direct["group"] == "voice", "the test's own marker holds"
    assert direct["extra_info"]["outcomes"]["timeout"] == 1
    figures = direct["extra_info"]["percentiles_ms"]
    assert figures["first_packet_latency"]["p50"] == pytest.approx(107.5)
    assert figures["stage.asr.host"]["p50"] == pytest.approx(107.5 / 3, abs=0.01)
    assert direct["extra_info"]["gpu"] == {"name": "Some GPU", "memory_mib": 80, "driver": "580.1"}


def test_another_gpu_of_the_machine_is_seen_when_comparing(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    written = inner.week.folder / "machine.json"
    monkeypatch.setattr(firstpacket.bench.environment, "gpus", lambda: (Gpu(0, "A GPU", 80, "580.1"),))
    inner.pytest(f"--benchmark-json={written}")
    assert inner.week.json("machine.json")["machine_info"]["gpu"]["name"] == "A GPU"
    monkeypatch.setattr(firstpacket.bench.environment, "gpus", lambda: (Gpu(0, "Another GPU", 80, "580.1"),))
    with pytest.warns(Warning, match="machine_info is different") as caught:
        inner.pytest(f"--benchmark-compare={written}")
    said = next(str(each.message) for each in caught if "machine_info" in str(each.message))
    current, _, saved = said.partition("VS saved")
    assert '"name": "Another GPU"' in current
    assert '"name": "A GPU"' in saved


@pytest.fixture(scope="module")
def limit(week: Week) -> tuple[str, str]:
    """Options that hold a run against what `bench export` wrote of Monday's."""
    exported = week.folder / "monday.json"
    exported.write_text(pytest_benchmark(read_run(week.folder / "monday"), "test_voice.py::test_first_packet"))
    return f"--benchmark-compare={exported}", "--benchmark-compare-fail=median:10%"


def test_the_plugins_own_limit_fails_a_slower_run(week: Week, limit: tuple[str, str]) -> None:
    answer = week.shell(*limit, run="wednesday")
    said = answer.stdout + answer.stderr
    assert answer.returncode == 1, said
    blamed = re.findall(r"packet\[(\w+)\]\S* .*- Field 'median' has failed", said)
    assert set(blamed) == {"direct"}, "the cascade is as fast as it was"


@pytest.mark.filterwarnings("ignore:Benchmark machine_info is different")  # the stored run's was another one
def test_the_plugins_own_limit_passes_another(inner: Inner, limit: tuple[str, str]) -> None:
    answer = inner.pytest(*limit, run="tuesday")
    assert answer.ret == 0
    assert "(NOW)" in answer.stdout.str(), "it was compared"


def test_skipped_and_disabled_benchmarks_are_not_timed(inner: Inner) -> None:
    inner.pytest("--benchmark-skip").assert_outcomes(skipped=2)
    disabled = inner.pytest("--benchmark-disable")
    disabled.assert_outcomes(passed=2, warnings=1)
    assert "Rounds" not in disabled.stdout.str(), "no table of times"
    assert "Rounds" in inner.pytest().stdout.str()


def test_turns_without_an_answer_warn_and_a_label_without_any_fails(inner: Inner) -> None:
    assert "direct: only answered turns are rounds (16 answered, 1 timeout)" in inner.pytest().stdout.str()
    answer = inner.pytest(run="silent")
    answer.assert_outcomes(failed=1, passed=1)
    assert "No turn of direct was answered (4 timeout)" in answer.stdout.str()


def test_an_invalid_run_gives_no_rounds(inner: Inner) -> None:
    answer = inner.pytest(run="late")
    answer.assert_outcomes(failed=2)
    assert "'late' is invalid" in answer.stdout.str()
    assert "Traceback" not in answer.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run='{run}'", "choose the one for the rounds, such as label='cascade'"),
        ("run='{run}', label='dirct'", "Did you mean 'direct'?"),
        ("'scripted', run='{run}'", "pipelines and options cannot be given"),
        ("run='nowhere'", "nowhere"),
        ("'scripted', rounds=3", "Unknown argument 'rounds'"),
        ("", "No pipeline given"),
    ],
)
def test_a_call_that_is_wrong_says_so(inner: Inner, arguments: str, said: str) -> None:
    code = arguments.format(run=inner.week.folder / "monday")
    (inner.week.folder / "test_wrong.py").write_text(f"def test_wrong(voice_rounds):\n    voice_rounds({code})\n")
    answer = inner.pytest(file="test_wrong.py")
    answer.assert_outcomes(failed=1)
    assert said in answer.stdout.str()
    assert "Traceback" not in answer.stdout.str()


def test_without_the_plugin_it_says_what_is_missing(inner: Inner) -> None:
    (inner.week.folder / "test_plain.py").write_text("def test_plain(voice_rounds):\n    voice_rounds('direct')\n")
    answer = inner.pytest(file="test_plain.py", plugins=())
    answer.assert_outcomes(errors=1)
    assert "pip install 'pytest-benchmark>=5.3'" in answer.stdout.str()


MEASURED = """
import pytest

@pytest.mark.parametrize("label", ["quick", "slow"])
def test_first_packet(voice_rounds, label):
    found = voice_rounds(
        "quick=scripted,script=hear; encoder 2; packet 200",
        "slow=scripted,script=hear; encoder 12; packet 200",
        label=label, corpus="CLIPS", turns=12, warmup=0, threads=1,
    )
    assert set(found.figures) >= {"first_packet_latency", "stage.encoder.host"}
"""


@pytest.fixture
def measured(inner: Inner) -> Inner:
    clips = write_clips(inner.week.folder / "clips")
    (inner.week.folder / "test_measured.py").write_text(MEASURED.replace("CLIPS", str(clips)))
    return inner


def test_tests_that_ask_for_the_same_share_what_was_measured(measured: Inner) -> None:
    kept, written = measured.week.folder / "kept", measured.week.folder / "now.json"
    answer = measured.pytest(f"--benchmark-json={written}", f"--voice-out={kept}", file="test_measured.py")
    answer.assert_outcomes(passed=2)
    assert len([path for path in kept.iterdir() if path.is_dir()]) == 1
    quick, slow = measured.week.json("now.json")["benchmarks"]
    assert quick["stats"]["rounds"] == slow["stats"]["rounds"] == 12
    assert slow["stats"]["median"] > quick["stats"]["median"]
    on_path = [each["extra_info"]["path_ms"]["encoder.host"] for each in (quick, slow)]
    assert on_path[1] > on_path[0] > 0


def test_disabled_measures_one_turn_of_each_label(measured: Inner) -> None:
    out = measured.week.folder / "disabled"
    measured.pytest("--benchmark-disable", f"--voice-out={out}", file="test_measured.py").assert_outcomes(passed=2)
    (run,) = out.iterdir()
    turns = [json.loads(line) for line in (run / "turns.jsonl").read_text().splitlines()]
    assert [turn["phase"] for turn in turns].count("measured") == 2
