"""The version that a gate compares with: a git revision, or another Python environment."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstpacket.bench.errors import UsageError
from firstpacket.bench.gate import worktree
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.sanitize import without_secrets

ITSELF = CodeVersion("this version itself (A/A)", (sys.executable,), {}, itself=True)
"""For an A/A run: the same code compared with itself."""

_SAFE = {"PYTHONSAFEPATH": "1"}
"""Otherwise Python would import from the current folder first, which holds this version."""


@contextmanager
def other_version(against: str, folders: tuple[str, ...] = ()) -> Iterator[CodeVersion]:
    """The version that `--against` names: a git revision if it exists, otherwise a Python command.

    `folders` are the folders with its packages, relative to the repository. Raises `UsageError` if `against` is
    neither, `NotComparable` if git cannot check the revision out.
    """
    repository = worktree.repository(Path.cwd())
    commit = worktree.commit(repository, against) if repository else ""
    if repository and commit:
        with worktree.checked_out(repository, commit) as tree:
            yield _revision(repository, tree, commit, against, folders)
    else:
        yield _command(against, repository)


def working_tree() -> str:
    """The state of this version's code, as far as it is in the repository of the current folder."""
    repository = worktree.repository(Path.cwd())
    return worktree.state(repository) if repository else ""


def _revision(repository: Path, tree: Path, commit: str, name: str, folders: tuple[str, ...]) -> CodeVersion:
    short = commit[:12]
    # Where this version cannot store bytecode, the other one must not either, or only it would load faster.
    alike = _SAFE if os.access(repository, os.W_OK) else _SAFE | {"PYTHONDONTWRITEBYTECODE": "1"}
    registered = worktree.registered(repository, tree)
    return CodeVersion(
        name=f"git {short}" if len(name) >= 7 and commit.startswith(name) else f"git {short} ({name})",
        python=(sys.executable,),
        environment=alike | _search(repository, registered, worktree.search_path(repository, tree, folders)),
        own_environment=alike
        | _search(repository, worktree.unregistered(tree), worktree.search_path(repository, repository, folders)),
        repository=repository,
        tree=tree,
    )


def _search(repository: Path, first: Path, found: list[Path]) -> dict[str, str]:
    """`PYTHONPATH` with these folders, and with those of this process that are outside the repository."""
    given = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    outside = [path for path in given if not path.resolve().is_relative_to(repository)]
    return {"PYTHONPATH": os.pathsep.join(map(str, [first, *found, *outside]))}


def _command(against: str, repository: Path | None) -> CodeVersion:
    try:
        words = tuple(shlex.split(against))
    except ValueError as error:
        raise UsageError(f"--against {against}: {error}.") from error
    if not words or shutil.which(words[0]) is None:
        where = f"a revision of {repository}" if repository else "a git revision (this folder is in no git repository)"
        raise UsageError(
            f"--against {without_secrets(against)}: neither {where} nor a command that can be run. Pass a branch, tag "
            "or commit that exists here (in CI, fetch it first: git fetch origin main, or fetch-depth: 0), or the "
            "Python of an environment with the other version, such as /old/.venv/bin/python."
        )
    shown = " ".join(without_secrets(word) for word in words)
    # To set these variables for the other version: --against 'env PYTHONPATH=... python'.
    return CodeVersion(f"command {shown}", words, _SAFE, dropped=("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"))
