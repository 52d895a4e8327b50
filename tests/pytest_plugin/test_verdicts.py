"""What each verdict does to a test; the gate's result is constructed and nothing is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import firstpacket.bench.report.html

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ("-p", "firstpacket.pytest_plugin")

GATE = '''
import pytest
import firstpacket.bench.testing.voice
from firstpacket.bench.gate.limits import Limit
from firstpacket.bench.gate.result import Check, GateResult
from support.runs import make_run, write_run

ASKED = []

@pytest.fixture
def asked():
    return ASKED

@pytest.fixture(autouse=True)
def gate(monkeypatch):
    """Finds what the label of the first pipeline says, and measures nothing."""
    def found(options, limits, reference, progress, folder, command):
        ASKED.append((options, limits, reference))
        label = options.pipelines[0].label
        folder.mkdir(parents=True)
        timings = {label: [100.0 + at for at in range(100)] + ["timeout"] * 10}
        write_run(folder / "run", make_run(timings))
        checks = (Check(label, limits.limits[0], label.replace("-", " "), "because"),)
        return GateResult("git abc", checks, limits.allow), folder
    monkeypatch.setattr(firstpacket.bench.testing.voice, "run_gate", found)
'''


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, ROOT / "tests"))))
    monkeypatch.setattr(firstpacket.bench.report.html, "write_report", lambda runs, out: out)
    pytester.makeconftest(GATE)
    return pytester


def result(inner: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    inner.makepyfile(test_voice=body)
    return inner.runpytest_inprocess(*PLUGIN, *arguments)


ONE = "def test_latency(voice_benchmark):\n    voice_benchmark('{verdict}=scripted', max_regression='5%')\n"


@pytest.mark.parametrize("verdict", ["same", "improved"])
def test_a_version_that_is_not_slower_passes(inner: pytest.Pytester, verdict: str) -> None:
    found = result(inner, ONE.format(verdict=verdict))
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines(
        ["*voice benchmarks*", f"test_voice.py::test_latency: {verdict}, compared with git abc*"]
    )


@pytest.mark.parametrize("verdict", ["regressed", "inconclusive", "no-baseline", "not-comparable"])
def test_everything_else_is_red_in_one_message_and_in_junit(inner: pytest.Pytester, verdict: str) -> None:
    found = result(inner, ONE.format(verdict=verdict), "--junit-xml=found.xml")
    found.assert_outcomes(failed=1)
    said = found.stdout.str()
    assert f"{verdict}: {verdict.replace('-', ' ')}: first_packet_latency not slower by more than 5 %: because" in said
    assert "Traceback" not in said
    assert ".py:" not in said.partition("voice benchmarks")[0], "no code of the harness is shown"
    junit = (inner.path / "found.xml").read_text()
    assert 'failures="1"' in junit
    assert f'name="voice.verdict" value="{verdict.replace("-", " ")}"' in junit


@pytest.mark.parametrize("verdict", ["inconclusive", "no-baseline"])
def test_what_is_allowed_passes_with_a_warning(inner: pytest.Pytester, verdict: str) -> None:
    found = result(inner, ONE.format(verdict=verdict), "--voice-allow", "no-baseline, inconclusive")
    found.assert_outcomes(passed=1, warnings=1)
    found.stdout.fnmatch_lines(["*VoiceBenchmarkWarning: allowed: * because*"])


def test_the_call_decides_what_it_allows(inner: pytest.Pytester) -> None:
    body = ONE.format(verdict="no-baseline").replace("'5%'", "'5%', allow=()")
    result(inner, body, "--voice-allow", "no-baseline").assert_outcomes(failed=1)


def test_a_regression_cannot_be_allowed(inner: pytest.Pytester) -> None:
    found = result(inner, ONE.format(verdict="regressed"), "--voice-allow", "regressed")
    found.assert_outcomes(failed=1)
    assert "regressed" in found.stdout.str()


def test_figures_can_be_asserted_on_and_unanswered_turns_count_as_late(inner: pytest.Pytester) -> None:
    body = """
import math
import pytest
from firstpacket.bench.errors import RunError, UnknownName

def test_figures(voice_benchmark):
    label = voice_benchmark("same=scripted").label("same")
    assert label.p50_ms == pytest.approx(154.5)
    assert label.quantile(0.5, "stage.asr.host") == pytest.approx(149.5 / 3, abs=0.01)
    assert label.outcomes == {"answered": 100, "timeout": 10}
    assert label.p90_ms == pytest.approx(198.1)
    assert math.isinf(label.quantile(0.92))
    with pytest.raises(RunError, match="ceiling_ms"):
        label.p99_ms

def test_unknown(voice_benchmark):
    with pytest.raises(UnknownName):
        voice_benchmark("same=scripted").label("sane")
"""
    result(inner, body).assert_outcomes(passed=2)


def test_the_call_overrides_the_reference_of_the_command_line(inner: pytest.Pytester) -> None:
    body = """
def test_asked(voice_benchmark, asked):
    voice_benchmark("same=scripted", max_regression="5%", device="cpu")
    voice_benchmark("same=scripted", baseline="nightly", max_minutes=3)
    voice_benchmark("same=scripted", ceiling_ms=800)
    (first, second, third) = asked
    assert (first[2].against, first[2].folders) == ("main", ("code",))
    assert (first[1].max_minutes, first[0].device, first[0].keep_audio) == (4, "cpu", False)
    assert (second[2].against, second[2].baseline, second[1].max_minutes) == ("", "nightly", 3)
    assert third[2].against == "", "a ceiling needs no other version"
    assert [(limit.statistic, limit.ceiling_ms) for limit in third[1].limits] == [("p95", 800)]
"""
    words = (
        "--voice-against",
        "main",
        "--voice-against-path",
        "code",
        "--voice-max-minutes",
        "4",
        "--voice-out",
        "kept",
    )
    result(inner, body, *words, "--voice-out", "kept").assert_outcomes(passed=1)
    assert sorted(path.name for path in (inner.path / "kept").iterdir()) == [
        "test_voice.py-test_asked",
        "test_voice.py-test_asked-2",
        "test_voice.py-test_asked-3",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("max_regression='much'", "share"),
        ("max_regresion='5%'", "Did you mean 'max_regression'?"),
        ("corpora='demo'", "Did you mean 'corpus'?"),
        ("statistic='p95'", "needs ceiling_ms"),
        ("ceiling_ms=-1", "must be positive"),
        ("metric='latency', ceiling_ms=5", "Unknown metric"),
        ("against='main', baseline='nightly'", "cannot be combined"),
        ("against=''", "against: the value is empty"),
        ("limits='', baseline='nightly'", "limits: the value is empty"),
        ("corpus=' '", "--corpus: the value is empty"),
        ("config=''", "config: the value is empty"),
        ("out='here'", "--voice-out"),
        ("allow='regressed'", "allow"),
    ],
)
def test_a_call_that_is_wrong_says_so_in_one_message(inner: pytest.Pytester, arguments: str, said: str) -> None:
    found = result(inner, f"def test_wrong(voice_benchmark):\n    voice_benchmark('same=scripted', {arguments})\n")
    found.assert_outcomes(failed=1)
    text = found.stdout.str()
    assert said in text
    assert "Traceback" not in text
    assert "During handling" not in text


@pytest.mark.parametrize("option", ["against", "against-path", "baseline", "allow", "out"])
def test_an_empty_option_is_refused_before_measuring(inner: pytest.Pytester, option: str) -> None:
    answer = result(inner, ONE.format(verdict="same"), f"--voice-{option}=")
    assert answer.ret == pytest.ExitCode.USAGE_ERROR
    assert f"argument --voice-{option}: the value is empty" in answer.stderr.str()


def test_options_that_exclude_each_other_are_refused_before_measuring(inner: pytest.Pytester) -> None:
    found = result(inner, ONE.format(verdict="same"), "--voice-against", "main", "--voice-baseline", "nightly")
    assert found.ret == pytest.ExitCode.USAGE_ERROR


def test_measuring_in_parallel_with_other_tests_is_refused(inner: pytest.Pytester) -> None:
    inner.makeconftest(GATE + "\ndef pytest_configure(config):\n    config.workerinput = {'workercount': 2}\n")
    found = result(inner, ONE.format(verdict="same"))
    found.assert_outcomes(failed=1)
    assert "with -n 0" in found.stdout.str()


def test_processes_are_counted_as_xdist_counts_them(inner: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    (inner.path / "conftest.py").unlink()
    inner.makepyfile(
        test_count="""
        from firstpacket.pytest_plugin import voice_session
        def test_count(pytestconfig):
            assert voice_session(pytestconfig).parallel == 2
        """
    )
    inner.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2").assert_outcomes(passed=1)
