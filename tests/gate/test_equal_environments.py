"""Both processes of a pair are started in the same way: what differs between them is listed here, with the reason."""

from __future__ import annotations

import json
import mmap
import os
import py_compile
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import reporting_plugin
from support.command import ROOT, write_clips
from support.plugin_repository import PluginRepository, plugin_repository
from support.virtual import NoProgress

from firstpacket.bench.gate.resolve_version import ITSELF, other_version
from firstpacket.bench.ipc import PADDING, padded
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.run.bytecode import compile_alike, is_compiled
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.leftovers import MARK
from firstpacket.bench.run.replicates import replicates

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

MAY_DIFFER = {
    "hash": "Python draws a seed for each process; many processes average over it, one seed would favour one version",
    "arguments": "the descriptor of the socket: the manager holds one more when it starts the second process",
    "descriptors": "the same",
}
VARIABLES_MAY_DIFFER = {
    MARK: "names the log of the process",
    PADDING: "makes up for the other differences in length",
    "PYTHONPATH": "begins with the folder of each version's metadata",
}


class Pair:
    """What the two workers of a run report."""

    def __init__(self, reports: Path, own: Path, base: Path) -> None:
        self.own = _report(reports / "worker-nap.json", own)
        self.base = _report(reports / "worker-nap.base.json", base)

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """What differs without a reason."""
        every = {key: (_comparable(self.own, key), _comparable(self.base, key)) for key in self.own}
        return {key: pair for key, pair in every.items() if key not in MAY_DIFFER and pair[0] != pair[1]}


def _report(file: Path, code: Path) -> dict[str, Any]:
    """The report; the folder of the version's code, which differs by nature, is called CODE."""
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    for key in ("search path", "modules"):
        found[key] = json.loads(json.dumps(found[key]).replace(str(code), "CODE"))
    return found


def _comparable(report: Mapping[str, Any], key: str) -> Any:
    if key != "variables":
        return report[key]
    return {name: "" if name in VARIABLES_MAY_DIFFER else value for name, value in report[key].items()}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginRepository]:
    """A repository with the plugin that reports on its process."""
    made = plugin_repository(tmp_path)
    made.write(8)
    shutil.copy(reporting_plugin.__file__, made.path / "nap_assistant/__init__.py")
    (made.path / f"nap_assistant/{reporting_plugin.LATE}.py").write_text("")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "reports")
    (tmp_path / "reports").mkdir()
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("FIRSTPACKET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(reporting_plugin.FOLDER, str(tmp_path / "reports"))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    on_path(made, monkeypatch)
    sys.modules.pop("nap_assistant", None)  # of another test
    yield made
    sys.modules.pop("nap_assistant", None)


def on_path(made: PluginRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with PYTHONPATH: the repository comes before the libraries."""
    monkeypatch.setenv("PYTHONPATH", made.environment()["PYTHONPATH"])
    monkeypatch.setattr(sys, "path", [str(made.path), str(made.installed), *sys.path])


def in_place(made: PluginRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `pip install -e` does it: the repository comes after the libraries."""
    (made.installed / "nap.pth").write_text(f"{made.path}\n")
    (made.installed / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(made.installed)!r})\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(made.installed), str(ROOT)]))
    monkeypatch.setattr(sys, "path", [str(made.installed), *sys.path, str(made.path)])


def measured(made: PluginRepository, version: CodeVersion, tree: Path) -> Pair:
    """One pair of processes of this version and another one."""
    folder = made.path.parent
    options = Options(
        pipelines=(PipelineChoice("nap", "nap", {}),),
        corpus=str(write_clips(folder / "clips", count=1)),
        turns=1,
        warmup=0,
        threads=1,
        keep_audio=False,
    )
    with replicates(options, ("test",), NoProgress(), folder / "run", version) as run:
        run.start(1, 10.0)
    return Pair(folder / "reports", made.path, tree)


@pytest.mark.parametrize("installed", [on_path, in_place])
def test_another_revision(
    repository: PluginRepository,
    monkeypatch: pytest.MonkeyPatch,
    installed: Callable[[PluginRepository, pytest.MonkeyPatch], None],
) -> None:
    installed(repository, monkeypatch)
    with other_version("HEAD") as version:
        assert version.tree is not None
        pair = measured(repository, version, version.tree)
    own, base = pair.own.pop("search path"), pair.base.pop("search path")
    assert "CODE" in own[1:]
    # The first entry is the folder of each version's metadata. Installed in place, this version stays on the path of
    # the other one too, as the last entry; that nothing is loaded from there is checked by `CodeVersion.check`.
    assert own[1:] == [entry for entry in base[1:] if entry != str(repository.path)]
    assert pair.differences() == {}
    assert pair.own["hash"] != pair.base["hash"]


def test_this_version_once_more(repository: PluginRepository) -> None:
    pair = measured(repository, ITSELF, repository.path)
    assert pair.own["variables"]["PYTHONPATH"] == pair.base["variables"]["PYTHONPATH"]
    # Both load the same files: what nobody has imported so far is compiled by the process that is started first.
    assert (pair.own.pop("compiled"), pair.base.pop("compiled")) == ([f"nap_assistant.{reporting_plugin.LATE}"], [])
    assert pair.differences() == {}


def test_a_command(repository: PluginRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its environment is its own matter; what it is given differs by the variables that belong to this version's."""
    (tmp_path / "elsewhere").mkdir()
    other = plugin_repository(tmp_path / "elsewhere")
    shutil.copytree(repository.path / "nap_assistant", other.path / "nap_assistant")
    path = os.pathsep.join(map(str, [other.path, repository.installed, ROOT]))
    command = tmp_path / "python"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("VIRTUAL_ENV", "/this/one")
    with other_version(str(command)) as version:
        pair = measured(repository, version, other.path)
    found = pair.differences()
    own, base = found.pop("variables")
    assert own.keys() ^ base.keys() == {"VIRTUAL_ENV", "PYTHONSAFEPATH"}
    assert found.keys() <= {"order of variables", "place in a page", "compiled"}, "only the shell changes these"


@pytest.mark.parametrize("label", ["a", "a.base", "voice-ä"])
@pytest.mark.parametrize("descriptor", ["9", "11", "121"])
def test_labels_paths_and_descriptors_do_not_move_the_stack(label: str, descriptor: str) -> None:
    arguments = ["/usr/bin/python3", "-m", "worker", descriptor]
    given = {"HOME": "/root", MARK: f"/runs/worker-{label}.log"}
    variables = padded(given, arguments)
    assert variables == given | {PADDING: variables[PADDING]} == padded(variables, arguments)
    texts = [arguments[0], *arguments, *(f"{name}={value}" for name, value in variables.items())]
    assert sum(len(text.encode()) + 1 + 8 for text in texts) % mmap.PAGESIZE == 0


def test_bytecode_is_made_for_the_other_version_where_this_one_has_it(tmp_path: Path) -> None:
    """Bytecode of an earlier state of a file is none."""
    repository, tree = tmp_path / "repository", tmp_path / "tree"
    for folder in (repository, tree):
        (folder / "package").mkdir(parents=True)
        for name in ("compiled", "never", "edited", "broken"):
            (folder / f"package/{name}.py").write_text("a = 1\n")
    (tree / "package/broken.py").write_text("a = \n")
    (tree / "only_there.py").write_text("a = 1\n")
    for name in ("compiled", "edited", "broken"):
        py_compile.compile(str(repository / f"package/{name}.py"))
    (repository / "package/edited.py").write_text("a = 1  # longer\n")
    compile_alike(repository, tree)
    assert [path.stem for path in sorted(tree.rglob("*.py")) if is_compiled(path)] == ["compiled"]


def test_neither_version_keeps_bytecode_where_one_cannot(
    repository: PluginRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != repository.path.resolve())
    with other_version("HEAD") as version:
        assert version.environment["PYTHONDONTWRITEBYTECODE"] == version.own_environment["PYTHONDONTWRITEBYTECODE"]
