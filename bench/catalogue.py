"""Everything that can be run: pipelines, engines and corpora, what each needs, and how to install it.

Reads declarations only; no model library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from firstpacket.bench import plugins, registry
from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.errors import BenchError
from firstpacket.bench.pipeline import Declaration
from firstpacket.bench.plugins import Plugin


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be named on the command line."""

    group: str
    name: str
    summary: str
    installed: bool
    needs: str
    install: str
    options: tuple[str, ...] = ()
    kind: str = ""
    """Of a pipeline: cascade, direct or other."""
    needs_server: bool = False
    details: tuple[str, ...] = ()


def catalogue() -> tuple[Entry, ...]:
    """Everything registered, in the order pipelines, engines, corpora, commands."""
    found = [_plugin("pipeline", "pipelines", name) for name in registry.names("pipelines")]
    for group in registry.ENGINE_GROUPS:
        found += [_plugin(group, group, name) for name in registry.names(group)]
    found += [_plugin("score", "scores", name) for name in registry.names("scores")]
    found += [Entry("corpus", listing.name, listing.description, True, "", "") for listing in list_corpora()]
    found += [
        Entry("command", f"bench {name}", plugins.summary("commands", name), True, "", "")
        for name in plugins.names("commands")
    ]
    return tuple(found)


def declared() -> Iterator[tuple[Plugin, Declaration]]:
    """Every pipeline, engine and scorer whose declaration can be read."""
    for group in ("pipelines", *registry.ENGINE_GROUPS, "scores"):
        for name in registry.names(group):
            with suppress(BenchError, AttributeError):
                yield Plugin(group, name), _declaration(group, name)


def _declaration(group: str, name: str) -> Declaration:
    found = registry.pipeline(name) if group == "pipelines" else registry.engine(group, name)
    declaration: Declaration = found.declaration
    return declaration if group == "scores" else registry.checked_declaration(name, declaration)


def _plugin(title: str, group: str, name: str) -> Entry:
    try:
        declaration = _declaration(group, name)
    except (BenchError, AttributeError) as error:
        return Entry(title, name, f"broken plugin: {error}", False, "", "")
    lacking = registry.missing(declaration)
    return Entry(
        title,
        name,
        declaration.summary,
        lacking is None,
        ", ".join(sorted({need.module for need in declaration.requires})),
        lacking.install if lacking else "",
        tuple(f"{option.name}={option.default}  {option.help}" for option in declaration.options),
        declaration.kind if group == "pipelines" else "",
        declaration.needs_server,
        declaration.details,
    )
