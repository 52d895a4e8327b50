"""Checks out git revisions in separate folders, and builds the search path with which Python loads them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from firstpacket.bench.errors import NotComparable, explained
from firstpacket.bench.paths import cache

TREE, METADATA, NO_METADATA, LOCK = "tree", "metadata", "no-metadata", "lock"
CODE = (".py", ".so", ".pyd")
_INSTALLED = {"site-packages", "dist-packages"}
_HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""Git sets these for its hooks; inherited, they would direct every call to the wrong tree."""


def repository(folder: Path) -> Path | None:
    """The root of the repository that contains a folder."""
    answer = _git(folder, "rev-parse", "--show-toplevel")
    return Path(answer.stdout.strip()).resolve() if answer.returncode == 0 and answer.stdout.strip() else None


def commit(repository: Path, revision: str) -> str:
    """The commit that a revision names; empty if there is none."""
    answer = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    return answer.stdout.strip() if answer.returncode == 0 else ""


def state(repository: Path) -> str:
    """A hash of the code in the working tree: the commit, changes that are not committed, and code not in git."""
    changes = _git(repository, "diff", "HEAD", "--binary").stdout
    digest = hashlib.sha256(os.fsencode(_git(repository, "rev-parse", "HEAD").stdout + changes))
    others = _git(repository, "ls-files", "--others", "--exclude-standard", "-z").stdout.split("\0")
    for name in sorted(name for name in others if name.endswith(CODE)):
        with contextlib.suppress(OSError):
            digest.update(os.fsencode(name) + (repository / name).read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def checked_out(repository: Path, commit: str) -> Iterator[Path]:
    """A temporary folder with the files of a commit. Raises `NotComparable`.

    What killed processes left behind is removed first.
    """
    folders = cache().absolute() / "versions" / hashlib.sha256(str(repository).encode()).hexdigest()[:12]
    folder = folders / f"{commit[:12]}-{os.getpid()}"
    with explained(f"Cannot check out {commit[:12]} in {folder}", "Free some space there.", NotComparable):
        folders.mkdir(parents=True, exist_ok=True)
        with _locked(folders / LOCK):
            _remove_stale(repository, folders)
            folder.mkdir()
            held = _locked(folder / LOCK)
    with held:
        try:
            _add(repository, commit, folder / TREE)
            yield (folder / TREE).resolve()
        finally:
            _remove(repository, folder)


def search_path(repository: Path, tree: Path, folders: tuple[str, ...]) -> list[Path]:
    """The front of the search path on which Python finds `tree`: another version, or the repository itself.

    That is: the libraries that this process finds before the repository, so that a file of the tree such as numpy.py
    hides none of them there either; `folders` of the tree, or its root and `src`; and those of its folders that are on
    this process's own path inside the repository.
    """
    named = [tree / folder for folder in folders] or [tree / "src", tree]
    mirrored = [tree / inside for inside in _inside(repository)]
    return [path for path in dict.fromkeys([*_before(repository), *named, *mirrored]) if path.is_dir()]


def registered(repository: Path, tree: Path) -> Path:
    """A folder with the entry points of the tree: first on the path, it hides those that are installed now."""
    folder = tree.parent / METADATA
    folder.mkdir(exist_ok=True)
    project = _project(repository, tree)
    name = project.get("name")
    if isinstance(name, str) and "entry-points" not in project.get("dynamic", ()):
        said = folder / f"{name.replace('-', '_')}-0.dist-info"
        said.mkdir(exist_ok=True)
        (said / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {project.get('version', '0')}\n", "utf-8"
        )
        (said / "entry_points.txt").write_text(_entry_points(project), "utf-8")
    return folder


def unregistered(tree: Path) -> Path:
    """An empty folder: on this version's path, it is what `registered` is on the other's, and hides nothing."""
    folder = tree.parent / NO_METADATA
    folder.mkdir(exist_ok=True)
    return folder


def _before(repository: Path) -> list[Path]:
    """The standard library, and installed libraries unless the repository comes before them on `sys.path`."""
    standard = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("platstdlib")) / "lib-dynload"]
    entries = (Path(entry or ".").resolve() for entry in sys.path)
    earlier = takewhile(lambda path: not _is_code_of(repository, path), entries)
    return [*standard, *(path for path in earlier if _INSTALLED & set(path.parts))]


def _inside(repository: Path) -> list[Path]:
    """The current folder and the entries of `sys.path` that are inside the repository, relative to it."""
    paths = [Path.cwd().resolve(), *(Path(entry or ".").resolve() for entry in sys.path)]
    return [path.relative_to(repository) for path in paths if _is_code_of(repository, path)]


def _is_code_of(repository: Path, path: Path) -> bool:
    """Whether a folder belongs to the repository, and not to an environment inside it."""
    return path.is_relative_to(repository) and not _INSTALLED & set(path.parts)


def _project(repository: Path, tree: Path) -> dict[str, Any]:
    """The table `[project]` of the pyproject.toml nearest to the current folder's place in the tree."""
    here = Path.cwd().resolve()
    inside = here.relative_to(repository) if here.is_relative_to(repository) else Path()
    for folder in (inside, *inside.parents):
        with contextlib.suppress(OSError, ValueError):
            table = tomllib.loads((tree / folder / "pyproject.toml").read_text("utf-8")).get("project")
            if isinstance(table, dict):
                return table
    return {}


def _entry_points(project: dict[str, Any]) -> str:
    lines = []
    for group, entries in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    return "\n".join(lines) + "\n"


def _add(repository: Path, commit: str, tree: Path) -> None:
    no_hooks = f"core.hooksPath={os.devnull}"  # the repository's hooks are for its own checkouts
    added = _git(repository, "-c", no_hooks, "worktree", "add", "--detach", str(tree), commit)
    if added.returncode:
        raise NotComparable(f"git cannot check out {commit[:12]}: {added.stderr.strip()}")


def _remove(repository: Path, folder: Path) -> None:
    _git(repository, "worktree", "remove", "--force", str(folder / TREE))
    shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(repository: Path, folders: Path) -> None:
    """Remove what killed processes left behind: their locks are free."""
    for folder in folders.iterdir():
        if folder.is_dir():
            with contextlib.suppress(BlockingIOError), _locked(folder / LOCK, wait=False):
                _remove(repository, folder)


def _locked(file: Path, wait: bool = True) -> BinaryIO:
    """Open a file and lock it exclusively until it is closed. Raises `BlockingIOError`."""
    handle = file.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise
    return handle


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _HOOK_VARIABLES}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        return subprocess.CompletedProcess(command, done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", f"cannot run git: {error.strerror}")
