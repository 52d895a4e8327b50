"""Finds plugins by entry point; each is imported only when it is used.

Groups: `firstpacket.pipelines` (classes derived from `Pipeline`), `firstpacket.asr`, `.llm`, `.tts`
(engines of the cascade), `firstpacket.scores` (scorers of replies), `firstpacket.commands` (Typer
applications mounted under their name, which `bench list` describes by the first line of their module's docstring).
"""

from __future__ import annotations

import ast
import tomllib
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from firstpacket.bench.errors import MissingDependency, UnknownName
from firstpacket.bench.sanitize import reason

GROUP = "firstpacket."


class Plugin(NamedTuple):
    """Group and name that identify a plugin."""

    group: str
    name: str


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group (`pipelines`, `asr`, `llm`, `tts`, `commands`), sorted; nothing is imported."""
    return tuple(sorted(_entries(group)))


def engine(group: str, name: str) -> Any:
    """The object registered as `name` in a group. Raises `UnknownName`, or `MissingDependency` if it cannot import."""
    entries = _entries(group)
    if name not in entries:
        kind = {"pipelines": "pipeline", "commands": "command", "scores": "scorer"}.get(group, f"{group} engine")
        raise UnknownName(kind, name, entries, "`bench list` describes them.")
    try:
        return entries[name].load()
    except (Exception, SystemExit) as error:  # third-party code may fail in any way on import
        raise MissingDependency(
            f"The plugin '{name}' ({entries[name].value}) cannot be imported: {reason(error)}. "
            "Reinstall the package that provides it, or uninstall it."
        ) from error


def summary(group: str, name: str) -> str:
    """The first line of the docstring of a plugin's module, or else what provides it. Nothing is imported."""
    line = ""
    with suppress(ImportError, OSError, SyntaxError, ValueError):
        line = (ast.get_docstring(ast.parse(_source(_entries(group)[name].module))) or "").partition("\n")[0]
    return line or f"Provided by {distribution(Plugin(group, name))}."


def _source(module: str) -> str:
    """The source of a module; empty if it has none. `find_spec` alone would import its packages."""
    package, *inner = module.split(".")
    path, spec = package, find_spec(package)
    for part in inner:
        path = f"{path}.{part}"
        spec = PathFinder.find_spec(path, spec.submodule_search_locations) if spec is not None else None
    read = getattr(spec.loader, "get_source", None) if spec is not None else None
    return read(path) or "" if read is not None else ""


def distribution(plugin: Plugin) -> str:
    """Name of the distribution that provides a plugin; empty if it is not installed, as in a bare checkout."""
    entry = _entries(plugin.group).get(plugin.name)
    return entry.dist.name if entry is not None and entry.dist is not None else ""


def _entries(group: str) -> dict[str, EntryPoint]:
    return {**_of_checkout(group), **{entry.name: entry for entry in entry_points(group=GROUP + group)}}


def _of_checkout(group: str) -> dict[str, EntryPoint]:
    """Entry points from the checkout's pyproject.toml, so that it works without being installed."""
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if not project.exists():
        return {}
    registered = tomllib.loads(project.read_text("utf-8"))["project"].get("entry-points", {}).get(GROUP + group, {})
    return {name: EntryPoint(name, value, GROUP + group) for name, value in registered.items()}
