"""The wheel in a user's project, whose own `bench` and `pipelines` must never be met, nor meet ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import write_clips
from support.wheel import Installed, build, install, unpacked

OWN_TESTS = """
from bench.mine import VALUE
from pipelines.mine import VALUE as OTHER


def test_own_modules():
    assert (VALUE, OTHER) == (1, 2)
"""
WITH_FIXTURE = """
def test_gate(voice_benchmark):
    voice_benchmark("scripted", corpus="clips", warmup=0, turns=10, ceiling_ms=60_000, statistic="p50")
"""
API = "import firstpacket as f, firstpacket.bench.pipeline as p; print(f.__version__, p.Pipeline.__name__)"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(build("wheel", tmp_path_factory.mktemp("wheel")), tmp_path_factory.mktemp("user") / "environment")


def own_project(folder: Path, kind: str) -> Path:
    """A project that has `bench`, in one of the ways one can, and a package `pipelines`."""
    (folder / "pipelines").mkdir(parents=True)
    (folder / "pipelines" / "__init__.py").touch()
    (folder / "pipelines" / "mine.py").write_text("VALUE = 2\n")
    if kind == "file":
        (folder / "bench.py").write_text("VALUE = 1\n")
        return folder
    (folder / "bench").mkdir()
    (folder / "bench" / "mine.py").write_text("VALUE = 1\n")
    if kind == "package":
        (folder / "bench" / "__init__.py").touch()
    return folder


def test_nothing_of_ours_but_one_name(installed: Installed, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u; print([n for n in ('bench', 'pipelines', 'firstpacket') if u.find_spec(n)]); "
        "from firstpacket.bench import folders; print(folders.DATASETS.is_relative_to(__import__('sys').prefix))"
    )
    answer = installed.run("python", "-c", code, cwd=tmp_path)
    assert answer.stdout == "['firstpacket']\nTrue\n", answer.stderr


@pytest.mark.parametrize("place", ["current folder", "PYTHONPATH"])
@pytest.mark.parametrize("kind", ["package", "folder", "file"])
def test_a_project_with_bench_and_pipelines_of_its_own(
    installed: Installed, tmp_path: Path, kind: str, place: str
) -> None:
    own = own_project(tmp_path / "own", kind)
    cwd, path = (own, ()) if place == "current folder" else (tmp_path, (own,))
    (cwd / "test_mine.py").write_text(OWN_TESTS.replace("bench.mine", "bench") if kind == "file" else OWN_TESTS)
    write_clips(cwd / "clips", 1)
    for command in (("python", "-m", "pytest"), ("pytest",)):
        found = installed.run(
            *command, "-q", "test_mine.py", cwd=cwd, path=path or ((cwd,) if kind == "folder" else ())
        )
        assert "1 passed" in found.stdout, found.stdout + found.stderr
    ran = installed.run(
        "bench", "run", "-p", "scripted", "--corpus", "clips", "--warmup", "0", "--out", "out", "--no-report",
        cwd=cwd, path=path,
    )  # fmt: skip
    assert ran.returncode == 0 and "scripted" in ran.stdout, ran.stdout + ran.stderr
    (cwd / "test_gate.py").write_text(WITH_FIXTURE)
    gate = installed.run("pytest", "-q", "-p", "no:cacheprovider", "test_gate.py", cwd=cwd, path=path)
    assert "1 passed" in gate.stdout, gate.stdout + gate.stderr
    api = installed.run("python", "-c", API, cwd=cwd, path=path)
    assert api.stdout == "0.1.0 Pipeline\n", api.stderr


def test_both_commands(installed: Installed, tmp_path: Path) -> None:
    for name in ("bench", "firstpacket"):
        assert installed.run(name, "--version", cwd=tmp_path).stdout == "firstpacket 0.1.0\n"
    assert "small-world" in installed.run("firstpacket", "list", cwd=tmp_path).stdout


def test_the_sdist_makes_the_same_wheel(tmp_path: Path) -> None:
    tree = unpacked(build("sdist", tmp_path / "sdist"), tmp_path / "tree")
    environment = install(build("wheel", tmp_path / "wheel", tree), tmp_path / "environment")
    write_clips(tmp_path / "clips", 1)
    ran = environment.run(
        "bench", "run", "-p", "scripted", "--corpus", "clips", "--turns", "1", "--warmup", "0", "--out", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0 and (tmp_path / "out" / "report.html").exists(), ran.stdout + ran.stderr
