"""Versions of the distributions behind plugins: those that bring them, and those of what they declare to need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata

from firstpacket import __version__
from firstpacket.bench import plugins
from firstpacket.bench.pipeline import Declaration
from firstpacket.bench.plugins import Plugin

OWN = "firstpacket"


def versions(declarations: Iterable[Declaration], made_of: Iterable[Plugin]) -> dict[str, str]:
    """By name of the distribution, sorted; what is not installed (it runs elsewhere) is absent. Imports nothing.

    `declarations` say which modules are needed, `made_of` which plugins are in use, of whatever distribution.
    """
    modules = {need.module.partition(".")[0] for declaration in declarations for need in declaration.requires}
    owners = metadata.packages_distributions()
    names = {name for module in modules for name in owners.get(module, ())}
    names |= {plugins.distribution(plugin) or OWN for plugin in made_of}
    return _versions(names)


def of_harness() -> dict[str, str]:
    """Of this project and what it depends on; of itself alone where it runs without being installed."""
    return _versions({OWN, *_dependencies()})


def _dependencies() -> Iterator[str]:
    try:
        needs = metadata.requires(OWN) or ()
    except metadata.PackageNotFoundError:
        return
    for need in needs:
        if (name := re.match(r"[\w.-]+", need)) and "extra ==" not in need:
            yield name[0]


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name == OWN:
                found[name] = __version__
    return found
