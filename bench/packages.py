"""Versions of the distributions behind plugins: those that provide them, and those that they require."""

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
    """By distribution name, sorted; packages that are not installed here are absent. Imports nothing.

    `declarations` name the required modules, `made_of` the plugins in use.
    """
    modules = {need.module.partition(".")[0] for declaration in declarations for need in declaration.requires}
    owners = metadata.packages_distributions() if modules else {}  # reads the lists of all installed files: slow
    names = {name for module in modules for name in owners.get(module, ())}
    names |= {plugins.distribution(plugin) or OWN for plugin in made_of}
    return _versions(names)


def of_harness() -> dict[str, str]:
    """This project and its dependencies; itself alone if it runs without being installed."""
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
