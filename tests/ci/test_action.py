"""The action's own shell lines, on a repository whose plugin really became slower; and GitHub's schema for it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.command import ROOT, write_clips
from support.plugin_repository import PluginRepository, plugin_repository

yaml = pytest.importorskip("yaml")
ACTION = ROOT / "action.yml"
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How GitHub starts `shell: bash`."""

MADE_BENCH = """
import json, sys
from pathlib import Path

Path("{asked}").write_text(json.dumps(sys.argv[1:]))
if "{verdict}":
    folder = Path(sys.argv[-1].removeprefix("--out="))
    folder.mkdir()
    (folder / "gate.json").write_text(json.dumps({{"verdict": "{verdict}"}}))
    (folder / "gate.md").write_text("| a table |\\n")
sys.exit({code})
"""


@pytest.fixture(scope="module")
def action() -> Any:
    return yaml.safe_load(ACTION.read_text())


@dataclass
class Job:
    """What a run of the steps Gate and Figures left."""

    code: int
    said: str
    outputs: dict[str, str]
    summaries: list[str]


class Runner:
    """Runs the action's lines as GitHub would, from the step Gate on, without GitHub."""

    def __init__(self, folder: Path, repository: PluginRepository, action: Any) -> None:
        self.folder, self.repository, self._action = folder, repository, action
        self._bin = folder / "bin"
        self._bin.mkdir()
        self._command("python", f'exec "{sys.executable}" "$@"')

    def _command(self, name: str, line: str) -> None:
        script = self._bin / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def with_bench(self) -> Runner:
        """`bench` is this project's."""
        self._command("bench", f'exec "{sys.executable}" -m firstpacket "$@"')
        return self

    def with_made_bench(self, verdict: str, code: int) -> Runner:
        """`bench` notes its arguments, writes a verdict if there is one, and ends with a code."""
        made = self.folder / "made_bench.py"
        made.write_text(MADE_BENCH.format(asked=str(self.folder / "asked.json"), verdict=verdict, code=code))
        self._command("bench", f'exec "{sys.executable}" "{made}" "$@"')
        return self

    def asked(self) -> list[str]:
        """What `bench` was started with, without the folder to write into."""
        words: list[str] = json.loads((self.folder / "asked.json").read_text())
        return words[:-1]

    def job(self, **inputs: str) -> Job:
        known = {name: given["default"] for name, given in self._action["inputs"].items()}
        gate, code, summary = self._step("Gate", {"inputs": {**known, **inputs}})
        outputs = dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())
        job = Job(code, gate, outputs, [summary])
        if outputs.get("report"):
            said, figures, summary = self._step("Figures", {"inputs": known, "outputs": outputs})
            assert figures == 0, said
            job.summaries.append(summary)
        return job

    def _step(self, name: str, known: dict[str, dict[str, str]]) -> tuple[str, int, str]:
        step = next(each for each in self._action["runs"]["steps"] if each["name"] == name)
        files = {"GITHUB_OUTPUT": self.folder / "output", "GITHUB_STEP_SUMMARY": self.folder / "summary"}
        for path in files.values():
            path.write_text("")
        temporary = self.folder / "runner's temp"
        temporary.mkdir(exist_ok=True)
        given = {key: _evaluated(text, known) for key, text in step.get("env", {}).items()}
        more = {"FIRSTPACKET_CACHE": self.folder / "cache", "RUNNER_TEMP": temporary, **files}
        environment = self.repository.environment(**given, **{key: str(path) for key, path in more.items()})
        environment["PATH"] = f"{self._bin}{os.pathsep}{environment['PATH']}"
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        answer = subprocess.run(
            [*BASH, str(script)],
            cwd=self.repository.path / _evaluated(step.get("working-directory", "."), known),
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return answer.stdout + answer.stderr, answer.returncode, files["GITHUB_STEP_SUMMARY"].read_text()


def _evaluated(text: str, known: dict[str, dict[str, str]]) -> str:
    """`${{ inputs.NAME }}` and `${{ steps.gate.outputs.NAME }}`."""
    group = "(?:steps.gate.)?(inputs|outputs)"
    return re.sub(rf"\$\{{\{{ {group}\.([a-z-]+) \}}\}}", lambda found: known[found[1]][found[2]], text)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, action: Any) -> Runner:
    folder = tmp_path_factory.mktemp("runner")
    repository = plugin_repository(folder)
    repository.commit(3, "fast")
    repository.write(12)
    write_clips(repository.path / "my clips")
    return Runner(folder, repository, action)


def test_a_slower_version_fails_the_job_and_everything_is_shown(runner: Runner) -> None:
    """May take over 10 s: several starts of two versions, and the report."""
    quick = "--max-minutes=0.1\n--warmup=0\n--threads=1\n"
    job = runner.with_bench().job(pipelines="nap", corpus="my clips", against="fast", arguments=quick)
    assert job.code == 10, job.said
    folder = Path(job.outputs["folder"])
    assert job.outputs == {
        "verdict": "regressed",
        "exit-code": "10",
        "folder": str(folder),
        "report": str(folder / "report.html"),
    }
    assert {"gate.json", "junit.xml", "report.html", "run"} <= {path.name for path in folder.iterdir()}
    gate, figures = job.summaries
    assert "regressed" in gate
    assert "first packet" in figures
    assert all(len(summary.encode()) < 1 << 20 for summary in job.summaries)


def test_inputs_become_arguments(runner: Runner) -> None:
    job = runner.with_made_bench("no baseline", 0).job(
        pipelines="a=nap\nb=nap,ms=5\n", allow="no-baseline", limits="my limits.toml", arguments="--max-minutes=0.1\n"
    )
    assert (job.code, job.outputs["verdict"], job.outputs["exit-code"]) == (0, "no baseline", "0"), job.said
    assert runner.asked() == [
        "gate",
        "--pipeline=a=nap",
        "--pipeline=b=nap,ms=5",
        "--allow=no-baseline",
        "--limits=my limits.toml",
        "--max-minutes=0.1",
    ]
    assert job.summaries == ["| a table |\n"]


def test_what_cannot_be_measured_is_an_error_and_fails(runner: Runner) -> None:
    job = runner.with_made_bench("", 2).job()
    assert (job.code, job.outputs["verdict"], job.outputs["report"]) == (2, "error", "")
    assert runner.asked() == ["gate"], "all else stands in bench.toml"
    assert job.summaries == [""]


@pytest.mark.parametrize("name", ["pipelines", "corpus", "against", "baseline", "allow", "limits"])
def test_an_empty_input_differs_from_a_missing_one(runner: Runner, name: str) -> None:
    """`against: ${{ github.base_ref }}` is empty when a push starts the job: `bench gate` must see that, and refuse."""
    runner.with_made_bench("", 2).job(**{name: ""})
    assert runner.asked() == ["gate", f"--{name.removesuffix('s') if name == 'pipelines' else name}="]


@pytest.mark.parametrize("name", ["pipelines", "corpus", "against", "baseline", "allow", "limits", "arguments"])
def test_no_input_becomes_a_command(runner: Runner, name: str) -> None:
    hostile = "x\"; touch pwned; $(touch pwned) `touch pwned` '; touch pwned; #"
    runner.with_made_bench("same", 0).job(**{name: hostile})
    flag = {"pipelines": "--pipeline=", "arguments": ""}.get(name, f"--{name}=")
    assert runner.asked() == ["gate", flag + hostile]
    assert not list(runner.folder.rglob("pwned"))


def test_no_script_has_an_expression_in_it(action: Any) -> None:
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]


def test_it_is_an_action() -> None:
    pytest.importorskip("check_jsonschema")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", str(ACTION)]
    answer = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout
