"""The workloads as somebody's project: a git repository with a plugin that is installed in place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SOURCE = HERE / "workload.py"

PLUGINS = {"short": "workload:Short", "padded": "workload:Padded", "first": "workload:First"}
PROJECT = "\n".join(
    [
        "[project]",
        'name = "gate-workload"',
        'version = "1.0"',
        '[project.entry-points."firstpacket.pipelines"]',
        *(f'{name} = "{place}"' for name, place in PLUGINS.items()),
    ]
)


def registered(folder: Path) -> Path:
    """A folder with the plugins' metadata: on the search path, it is what an editable install leaves behind."""
    metadata = folder / "gate_workload-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gate-workload\nVersion: 1.0\n")
    plugins = "".join(f"{name} = {place}\n" for name, place in PLUGINS.items())
    (metadata / "entry_points.txt").write_text(f"[firstpacket.pipelines]\n{plugins}")
    return folder


@dataclass(frozen=True, slots=True)
class Repository:
    """The folder of the working tree, and the environment of a shell in which the plugin is installed."""

    path: Path
    environment: dict[str, str]


@contextmanager
def changed(pipeline: str, code: str) -> Iterator[Repository]:
    """A repository with one commit, whose working tree differs from it: in a comment, or in the pipeline's work."""
    with TemporaryDirectory(prefix="gate-check-") as folder:
        path, installed = Path(folder) / "repository", registered(Path(folder) / "installed")
        path.mkdir()
        (path / "pyproject.toml").write_text(PROJECT)
        (path / "workload.py").write_text(SOURCE.read_text("utf-8"), "utf-8")
        _git(path, "init", "-q")
        _git(path, "add", "-A")
        _git(path, "commit", "-q", "-m", "Base")
        (path / "workload.py").write_text(_edited(SOURCE.read_text("utf-8"), pipeline, code), "utf-8")
        search = os.pathsep.join(map(str, (path, installed, ROOT)))
        # The cache of a CI job is empty, too.
        cache = str(Path(folder) / "cache")
        yield Repository(path, {**os.environ, "PYTHONPATH": search, "FIRSTPACKET_CACHE": cache})


def _edited(source: str, pipeline: str, code: str) -> str:
    if code == "unchanged":
        return source + "# Nothing else is different.\n"
    before, after = (f'"{pipeline}": {products[pipeline]}' for products in (workload.PRODUCTS, workload.SLOWER))
    assert before in source
    return source.replace(before, after, 1)


def _git(path: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(path), *identity, *arguments], check=True, capture_output=True)
