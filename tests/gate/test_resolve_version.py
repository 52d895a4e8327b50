"""The base version is the requested one, and no file of it remains afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.plugin_repository import ROOT, PluginRepository, plugin_repository

from firstpacket.bench.errors import NotComparable, UsageError
from firstpacket.bench.gate import worktree
from firstpacket.bench.gate.resolve_version import other_version
from firstpacket.bench.pipeline import Stage
from firstpacket.bench.record.schema import LabelFacts, System
from firstpacket.bench.run.code_version import CodeVersion, with_base
from firstpacket.bench.run.loaded_paths import loaded_from

ASKED = """
from importlib.metadata import entry_points, version
(found,) = entry_points(group="firstpacket.pipelines", name="nap")
print(found.load().declaration.options[0].default, found.load().__module__, version("nap-assistant"))
print(__import__("nap_assistant").__file__)
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginRepository]:
    made = plugin_repository(tmp_path)
    made.commit(8, "fast")
    made.commit(24, "slow")
    enter(made, tmp_path, monkeypatch)
    yield made
    assert made.git("worktree", "list").count("\n") == 1
    assert not [path for path in (tmp_path / "cache/versions").glob("*/*") if path.is_dir()]


def enter(made: PluginRepository, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("FIRSTPACKET_CACHE", str(folder / "cache"))
    monkeypatch.setenv("PYTHONPATH", made.environment()["PYTHONPATH"])


def loaded(source: CodeVersion) -> list[str]:
    """What Python finds of the plugin when it is started as workers are."""
    command = [*source.python, "-c", ASKED]
    environment = source.environment_from(os.environ)
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


def test_a_revision_wins_over_an_editable_install_and_the_current_folder(repository) -> None:
    with other_version("fast") as source:
        ms, _, _, file = loaded(source)
        assert ms == "8"
        assert source.tree is not None and Path(file).is_relative_to(source.tree)
        assert source.name.endswith("(fast)")
    assert not source.tree.exists()


@pytest.mark.parametrize("first", [False, True], ids=["installed in place", "first on the path"])
def test_a_file_of_the_revision_hides_no_library(repository, monkeypatch, first: bool) -> None:
    """As in this version: one that is installed in place comes after the libraries, PYTHONPATH before the installed."""
    for name in ("random", "numpy"):
        (repository.path / f"{name}.py").write_text("raise ImportError('own')\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "names of libraries")
    own = [str(repository.path)]
    monkeypatch.setattr(sys, "path", own + sys.path if first else sys.path + own)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(repository.installed), str(ROOT)]))
    with other_version("HEAD") as source:
        found = "import random; print('random')\ntry: import numpy; print('numpy')\nexcept ImportError: print('own')"
        command, environment = [*source.python, "-P", "-c", found], source.environment_from(os.environ)
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert answer.stdout.split() == ["random", "own" if first else "numpy"], answer.stderr
        assert first or loaded(source)[0] == "24"


def test_packages_are_found_in_src_and_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for layout, folders in (("src", ()), ("python/lib", ("python/lib",))):
        made = plugin_repository(tmp_path / layout.replace("/", "-"), layout)
        made.commit(8, "fast")
        made.write(24)
        enter(made, tmp_path, monkeypatch)
        monkeypatch.setenv("PYTHONPATH", str(made.installed))
        with other_version("fast", folders) as source:
            assert loaded(source)[0] == "8"


def test_entry_points_of_a_revision_replace_installed_ones(repository) -> None:
    repository.git("checkout", "-q", "-b", "moved")
    repository.write(8)
    (repository.path / "nap_assistant").rename(repository.path / "old_nap")
    project = repository.path / "pyproject.toml"
    project.write_text(project.read_text().replace("nap_assistant:", "old_nap:").replace("1.0", "0.5") + "\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "another name")
    repository.git("checkout", "-q", "main")
    with other_version("moved") as source:
        environment = source.environment_from(os.environ)
        asked = ASKED.split("print(__import__")[0]
        answer = subprocess.run([*source.python, "-c", asked], env=environment, capture_output=True, text=True)
    assert answer.stdout.split() == ["8", "old_nap", "0.5"], answer.stderr


def test_a_subfolder_may_be_the_current_folder(repository, monkeypatch) -> None:
    (repository.path / "deep").mkdir()
    monkeypatch.chdir(repository.path / "deep")
    with other_version("HEAD~1") as source:
        assert loaded(source)[0] == "8"
        assert source.name.endswith("(HEAD~1)")


def test_it_works_inside_a_git_hook_and_runs_no_hooks(repository, monkeypatch, tmp_path) -> None:
    """Git sets variables for its hooks that would redirect every call to another repository."""
    hook = repository.path / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'ran'}'\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    with other_version("fast") as source:
        assert loaded(source)[0] == "8"
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert not (tmp_path / "ran").exists()


def test_ctrl_c_leaves_no_worktree_behind(repository) -> None:
    with pytest.raises(KeyboardInterrupt), other_version("fast"):
        raise KeyboardInterrupt


def test_worktrees_of_killed_processes_are_removed_by_the_next(repository) -> None:
    killed = (
        "import os, signal\nfrom firstpacket.bench.gate.resolve_version import other_version\n"
        "with other_version('slow'):\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed], env=os.environ, check=False)
    assert repository.git("worktree", "list").count("\n") == 2
    with other_version("fast"), other_version("slow"):
        assert repository.git("worktree", "list").count("\n") == 3, "one that is in use is left alone"


def test_a_command_runs_with_its_own_environment(repository, monkeypatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/this/one")
    other = repository.path.parent / "elsewhere"
    with other_version(f"env HF_TOKEN=abc PYTHONPATH={other} {sys.executable}") as source:
        assert source.name == f"command env HF_TOKEN=… PYTHONPATH={other} {sys.executable}"
        got = source.environment_from(os.environ)
        assert "VIRTUAL_ENV" not in got and "PYTHONPATH" not in got
        answer = subprocess.run(
            [*source.python, "-c", "import sys; print(sys.path)"], env=got, capture_output=True, text=True, check=True
        )
    assert str(other) in answer.stdout
    assert f"'{repository.path}'" not in answer.stdout and "''" not in answer.stdout


@pytest.mark.parametrize("against", ["no-such-thing", "", "'unclosed", "--version"])
def test_neither_a_revision_nor_a_command_is_a_usage_error(repository, against: str) -> None:
    with pytest.raises(UsageError, match="--against"), other_version(against):
        pass


def test_an_unusable_repository_is_explained(repository, monkeypatch) -> None:
    commit = worktree.commit(repository.path, "fast")
    (repository.path / ".git/worktrees").write_text("a file where git wants a folder")
    with pytest.raises(NotComparable, match="cannot check out"), worktree.checked_out(repository.path, commit):
        pass
    (repository.path / ".git/worktrees").unlink()


REPOSITORY, TREE = Path("/home/me/project"), Path("/cache/versions/1/tree")
REVISION = CodeVersion("git 1a2b3c4d5e6f (main)", ("python",), {}, repository=REPOSITORY, tree=TREE)
COMMAND = CodeVersion("command /old/python", ("/old/python",), {})
PACKAGES = "/home/me/project/.venv/lib/python3.11/site-packages"


def facts(label: str, *code: str) -> LabelFacts:
    return LabelFacts(label, 0, 0, (), code=code)


@pytest.mark.parametrize(
    ("source", "own", "base", "refused"),
    [
        (REVISION, [str(REPOSITORY), PACKAGES], [str(TREE), PACKAGES], None),
        (REVISION, [str(REPOSITORY / "src")], [str(TREE / "src")], None),
        (REVISION, [str(REPOSITORY)], [str(REPOSITORY), str(TREE)], "with itself"),
        (REVISION, [str(REPOSITORY)], [str(REPOSITORY)], "with itself"),
        (REVISION, [str(REPOSITORY)], [PACKAGES], "--against-path"),
        (REVISION, [PACKAGES, "/elsewhere"], [PACKAGES, "/elsewhere"], "nothing to compare"),
        (REVISION, [str(REPOSITORY)], [], "does not report which code"),
        (COMMAND, [str(REPOSITORY), PACKAGES], [str(REPOSITORY), "/old/lib/site-packages"], None),
        (COMMAND, [str(REPOSITORY), PACKAGES], [PACKAGES, str(REPOSITORY)], "not another version"),
        (COMMAND, [PACKAGES], [], "does not report which code"),
    ],
)
def test_a_version_is_never_compared_with_itself(source: CodeVersion, own, base, refused: str | None) -> None:
    labels = [facts("a", *own), facts("a.base", *base)]
    if refused is None:
        source.check(labels)
        return
    with pytest.raises(NotComparable, match=refused):
        source.check(labels)


def test_this_process_says_where_its_code_came_from() -> None:
    found = loaded_from()
    assert str(Path(__file__).resolve().parents[2]) in found
    assert any(folder.endswith("site-packages") for folder in found)
    assert os.path.dirname(os.__file__) not in found  # noqa: PTH120


def test_the_base_version_gets_only_the_options_that_were_given() -> None:
    plan = System("a", "nap", "cpu", "float32", {"ms": 24, "factor": 2.0}, (Stage("encoder", "listen"),))
    own, base = with_base([plan], {"a": {"factor": "2"}}, REVISION)
    assert own == plan
    assert (base.label, base.source, base.options) == ("a.base", REVISION.name, {"factor": "2"})
    for label in ("x" * 64, "b"):
        named = [System(name, "nap", "cpu", "float32", {}, ()) for name in (label, "b.base")]
        with pytest.raises(UsageError, match="choose another"):
            with_base(named, {plan.label: {} for plan in named}, REVISION)
