"""The wheel in a user's project, whose own packages `bench` and `pipelines` must not collide with ours."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from support.command import ROOT, write_clips
from support.wheel import Installed, build, install, unpacked

LARGEST = 40_000_000
"""Bytes; most of them are weights."""

OWN_TESTS = """
from bench.mine import VALUE
from pipelines.mine import VALUE as OTHER


def test_own_modules():
    assert (VALUE, OTHER) == (1, 2)
"""
WITH_GATE = """
def test_ours(voice_benchmark):
    voice_benchmark("scripted", corpus="clips", warmup=0, turns=10, ceiling_ms=60_000, statistic="p50")
"""
WITH_ROUNDS = """
def test_ours(voice_rounds):
    voice_rounds("scripted", corpus="clips", warmup=0, turns=2)
"""
API = """
import firstpacket
from firstpacket.bench.pipeline import Pipeline


def test_api():
    assert (firstpacket.__version__, Pipeline.__name__) == ("0.1.0", "Pipeline")

"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel, tmp_path_factory.mktemp("user") / "environment")


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


def test_messages_name_documents_that_a_wheel_contains(installed: Installed, tmp_path: Path) -> None:
    code = (
        "from firstpacket.bench.paths import documentation\n"
        "from firstpacket.bench.compare.comparable import refuse\n"
        "try: refuse((), ('moon',), 'a')\n"
        "except Exception as error: print(error)\n"
        "print(*(documentation(page) for page in ('add-a-pipeline', 'compare', 'gate', 'index')))"
    )
    message, pages = installed.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert all(Path(page).is_file() and ROOT not in Path(page).parents for page in pages.split())
    assert f"See {pages.split()[1]}." in message


def test_nothing_of_ours_but_one_name(installed: Installed, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u; print([n for n in ('bench', 'pipelines', 'firstpacket') if u.find_spec(n)]); "
        "from firstpacket.bench import paths; print(paths.DATASETS.is_relative_to(__import__('sys').prefix))"
    )
    answer = installed.run("python", "-c", code, cwd=tmp_path)
    assert answer.stdout == "['firstpacket']\nTrue\n", answer.stderr


@pytest.mark.parametrize("place", ["current folder", "PYTHONPATH"])
@pytest.mark.parametrize("kind", ["package", "folder", "file"])
def test_a_project_with_bench_and_pipelines_of_its_own(
    installed: Installed, tmp_path: Path, kind: str, place: str
) -> None:
    """Their tests pass; our command line with its worker, our fixtures (the dear one once a place) and our API work."""
    own = own_project(tmp_path / "own", kind)
    cwd, path = (own, ()) if place == "current folder" else (tmp_path, (own,))
    (cwd / "test_mine.py").write_text(OWN_TESTS.replace("bench.mine", "bench") if kind == "file" else OWN_TESTS)
    (cwd / "test_ours.py").write_text(API + (WITH_GATE if kind == "package" else WITH_ROUNDS))
    write_clips(cwd / "clips", 1)
    with_folder = path or ((cwd,) if kind == "folder" else ())
    runner = ("pytest",) if path else ("python", "-m", "pytest")  # the latter has the current folder on its path
    tested = installed.run(*runner, "-q", "test_mine.py", "test_ours.py", cwd=cwd, path=with_folder)
    assert "3 passed" in tested.stdout, tested.stdout + tested.stderr
    ran = installed.run(
        "bench", "run", "-p", "scripted", "--corpus", "clips", "--warmup", "0", "--out", "out", "--no-report",
        cwd=cwd, path=path,
    )  # fmt: skip
    assert ran.returncode == 0 and "scripted" in ran.stdout, ran.stdout + ran.stderr


def test_both_commands(installed: Installed, tmp_path: Path) -> None:
    for name in ("bench", "firstpacket"):
        assert installed.run(name, "--version", cwd=tmp_path).stdout == "firstpacket 0.1.0\n"
    assert "small-world" in installed.run("firstpacket", "list", cwd=tmp_path).stdout


def test_the_wheel_contains_everything_a_report_needs(installed: Installed, tmp_path: Path) -> None:
    write_clips(tmp_path / "clips", 1)
    ran = installed.run(
        "bench", "run", "-p", "scripted", "--corpus", "clips", "--turns", "1", "--warmup", "0", "--out", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0 and (tmp_path / "out" / "report.html").exists(), ran.stdout + ran.stderr


def test_the_wheel_contains_the_weights_as_they_were_packed_and_stays_small(wheel: Path) -> None:
    folder = "firstpacket/datasets/weights/demo"
    with zipfile.ZipFile(wheel) as archive:
        sums = [line.split("  ") for line in archive.read(f"{folder}/SHA256SUMS").decode().splitlines()]
        assert sums == [[sha256(archive.read(f"{folder}/{name}")).hexdigest(), name] for _, name in sums]
    assert wheel.stat().st_size < LARGEST


def test_the_page_of_changes_is_the_changelog(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("firstpacket/docs/changes.md") == (ROOT / "CHANGELOG.md").read_bytes()


def test_the_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    tree = unpacked(build("sdist", tmp_path / "sdist"), tmp_path / "tree")
    assert contents(build("wheel", tmp_path / "wheel", tree)) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """CRC-32 by file; that of RECORD, which lists the others, too."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist()}
