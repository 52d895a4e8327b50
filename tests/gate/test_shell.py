"""The gate as CI uses it: exit codes by number, through make, in JUnit, with a planted slowdown."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml
from support.command import here, write_clips
from support.plugin_repository import plugin_repository

GENEROUS = '[gate]\nresolution = "300%"\n[[gate.limit]]\nmax-regression = "200%"\n'
HIGH_CEILING = '[gate]\n[[gate.limit]]\nstatistic = "p95"\nceiling-ms = 30000\n'
BENCH = f"{shlex.quote(sys.executable)} -m firstpacket"


class Shell:
    """A repository with a plugin that sleeps 8 ms at the tag `fast` and 24 ms in the working tree, and a corpus."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clips = write_clips(folder / "clips", count=6)
        self.repository = plugin_repository(folder)
        self.repository.commit(8, "fast")
        self.repository.commit(24, "slow")
        self.environment = self.repository.environment(FIRSTPACKET_CACHE=str(folder / "cache"))
        for name, text in (("generous", GENEROUS), ("ceiling", HIGH_CEILING)):
            (folder / f"{name}.toml").write_text(text)

    def gate(self, name: str, *arguments: str | Path) -> str:
        """The command line of a quick gate, which writes into the folder `name`."""
        quick = (
            "-p",
            "nap",
            "--corpus",
            self.clips,
            "--max-minutes",
            "0.1",
            "--warmup",
            "0",
            "--threads",
            "1",
            "--no-report",
        )
        return shlex.join(map(str, ("gate", *quick, "--no-report", "--out", self.folder / name, *arguments)))

    def here(self, line: str) -> subprocess.CompletedProcess[str]:
        """The same inside this process, which is faster; workers are processes all the same."""
        path = self.environment["PYTHONPATH"].split(os.pathsep)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.repository.path)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "path", [*path, *sys.path])
            return here(*shlex.split(line))

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line of sh in the repository."""
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.repository.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def code(self, line: str) -> int:
        """The exit code, as the shell itself says it."""
        answer = self.run(f"{BENCH} {line}; echo code $?")
        print(answer.stdout, answer.stderr)  # noqa: T201 (shown when a test fails)
        return int(answer.stdout.splitlines()[-1].removeprefix("code "))

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name / "gate.json").read_text())

    def junit(self, name: str) -> JUnitXml:
        return JUnitXml.fromfile(str(self.folder / name / "junit.xml"))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def without_baseline(shell: Shell) -> int:
    """The first gate, before any baseline was kept."""
    return shell.here(shell.gate("first")).returncode


def test_a_slower_version_exits_with_10(shell: Shell) -> None:
    """May take over 10 s: several starts of two versions, each in separate processes."""
    assert shell.code(shell.gate("slower", "--report", "--against", "fast")) == 10
    found = shell.json("slower")
    assert (found["verdict"], found["exit_code"]) == ("regressed", 10)
    check = found["checks"][0]
    assert check["label"] == "nap" and check["starts"] == check["change"]["starts"] > 1
    assert 1.5 < check["change"]["ratio"]["value"] < 4, "each version slept as long as its own default says"
    labels = json.loads((shell.folder / "slower/run/manifest.json").read_text())["labels"]
    assert [plan["label"] for plan in labels] == ["nap", "nap.base"]
    assert labels[1]["source"] == f"git {shell.repository.git('rev-parse', 'fast')[:12]} (fast)"
    assert shell.junit("slower").failures == 1
    assert "regressed" in (shell.folder / "slower/gate.md").read_text()
    assert (shell.folder / "slower/report.html").exists()


def test_worktrees_of_other_versions_are_removed(shell: Shell) -> None:
    answer = shell.here(shell.gate("again", "--against", "slow", "--limits", shell.folder / "generous.toml"))
    assert answer.returncode == 0, answer.stderr
    assert shell.json("again")["verdict"] == "same"
    assert shell.repository.git("worktree", "list").count("\n") == 1
    assert [path for path in (shell.folder / "cache/versions").glob("*/*") if path.is_dir()] == []


def test_too_few_turns_for_a_ceiling_exit_with_11(shell: Shell) -> None:
    answer = shell.here(shell.gate("few", "--limits", shell.folder / "ceiling.toml", "--max-minutes", "0.01"))
    assert answer.returncode == 11, answer.stderr
    check = shell.json("few")["checks"][0]
    assert (check["verdict"], check["starts"]) == ("inconclusive", 1)
    assert "turns are needed to show it" in check["reason"]
    assert shell.junit("few").failures == 1


def test_a_missing_baseline_exits_with_12(shell: Shell, without_baseline: int) -> None:
    assert without_baseline == 12
    assert "bench baseline save" in shell.json("first")["checks"][0]["reason"]
    assert shell.junit("first").failures == 1


def test_allowed_verdicts_pass_with_a_notice_and_are_skipped_in_junit(shell: Shell) -> None:
    answer = shell.here(shell.gate("allowed", "--allow", "inconclusive,no-baseline", "--baseline", "unheard-of"))
    assert answer.returncode == 0, answer.stderr
    assert "allowed: nap: no baseline" in answer.stderr
    assert (shell.junit("allowed").failures, shell.junit("allowed").skipped) == (0, 1)


def test_make_fails_too(shell: Shell) -> None:
    (shell.folder / "Makefile").write_text(f"gate:\n\t{BENCH} {shell.gate('made', '--baseline', 'unheard-of')}\n")
    answer = shell.run(f"make -f {shell.folder / 'Makefile'} gate")
    assert answer.returncode == 2
    assert shell.json("made")["exit_code"] == 12, "the verdict survives in the file"


def test_a_saved_run_is_the_baseline_under_the_same_conditions_only(shell: Shell, without_baseline: int) -> None:
    kept = shell.here(f"baseline save {shell.folder / 'first/run'} --name main")
    assert kept.returncode == 0, kept.stderr
    assert "main" in shell.here("baseline list").stdout
    following = shell.here(shell.gate("next", "--limits", shell.folder / "generous.toml"))
    assert following.returncode == 0, following.stderr
    assert shell.json("next")["baseline"] == "baseline main"
    assert "against one stored run" in shell.json("next")["checks"][0]["reason"]
    assert shell.here(shell.gate("other", "--baseline", "main", "--t0", "request")).returncode == 13
    reason = shell.json("other")["checks"][0]["reason"]
    assert "t0" in reason
    assert shell.junit("other").failures == 1


def test_an_install_with_import_hooks_is_detected(shell: Shell) -> None:
    """It would load this version's code into the other's process, and the gate would always pass."""
    hook = (
        "import importlib.util, sys\n"
        "class Hook:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'nap_assistant':\n"
        f"            file = {str(shell.repository.path / 'nap_assistant/__init__.py')!r}\n"
        "            return importlib.util.spec_from_file_location(name, file)\n"
        "sys.meta_path.insert(0, Hook)\n"
    )
    (shell.repository.installed / "sitecustomize.py").write_text(hook)
    try:
        answer = shell.here(shell.gate("hooked", "--against", "fast", "--allow", "inconclusive,no-baseline"))
    finally:
        (shell.repository.installed / "sitecustomize.py").unlink()
    assert answer.returncode == 13, answer.stderr
    assert "with itself" in shell.json("hooked")["checks"][0]["reason"]
