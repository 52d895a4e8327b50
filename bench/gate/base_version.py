"""The other version that a gate asks beside this one: a revision of the repository, or Python in other surroundings."""

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

ITSELF = CodeVersion("this version once more", (sys.executable,), {}, itself=True)
"""For an A/A run: what the same code shows against itself."""

_SAFE = {"PYTHONSAFEPATH": "1"}
"""Else Python would look for code in the current folder first, where this version lies."""


@contextmanager
def other_version(against: str, folders: tuple[str, ...] = ()) -> Iterator[CodeVersion]:
    """What `--against` names: a git revision if there is one of that name, else the command that starts Python.

    `folders` are those of the repository that its packages lie in, relative to it. Raises `UsageError` if `against` is
    neither, `NotComparable` if git cannot lay the revision out.
    """
    repository = worktree.repository(Path.cwd())
    commit = worktree.commit(repository, against) if repository else ""
    if repository and commit:
        with worktree.laid_out(repository, commit) as tree:
            yield _revision(repository, tree, commit, against, folders)
    else:
        yield _command(against, repository)


def _revision(repository: Path, tree: Path, commit: str, name: str, folders: tuple[str, ...]) -> CodeVersion:
    short = commit[:12]
    path = [worktree.registered(repository, tree), *worktree.search_path(repository, tree, folders)]
    outside = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    path += [Path(entry) for entry in outside if not Path(entry).resolve().is_relative_to(repository)]
    return CodeVersion(
        name=f"git {short}" if len(name) >= 7 and commit.startswith(name) else f"git {short} ({name})",
        python=(sys.executable,),
        environment=_SAFE | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        repository=repository,
        tree=tree,
    )


def _command(against: str, repository: Path | None) -> CodeVersion:
    try:
        words = tuple(shlex.split(against))
    except ValueError as error:
        raise UsageError(f"--against {against}: {error}.") from error
    if not words or shutil.which(words[0]) is None:
        where = f"a revision of {repository}" if repository else "a git revision (this folder is in no git repository)"
        raise UsageError(
            f"--against {without_secrets(against)}: this is neither {where} nor a command that can be run. Name a "
            "branch, tag or commit that is here (in CI, fetch it first: git fetch origin main, or fetch-depth: 0), or "
            "what starts Python where the other version is installed, such as /old/.venv/bin/python."
        )
    said = " ".join(without_secrets(word) for word in words)
    # Whoever wants this version's variables there too can say so: env PYTHONPATH=... python.
    return CodeVersion(f"command {said}", words, _SAFE, dropped=("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"))
