"""Another version of the code, measured concurrently with this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from firstpacket.bench.errors import NotComparable, UsageError
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import LabelFacts, System
from firstpacket.bench.run.bytecode import compile_alike
from firstpacket.bench.sanitize import LABEL

BASE = ".base"
"""Suffix of the other version's labels."""


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """How workers of another version are started."""

    name: str
    """For people and the record."""
    python: tuple[str, ...]
    """The Python command of that version's environment."""
    environment: Mapping[str, str]
    """Environment variables that its workers get in addition."""
    own_environment: Mapping[str, str] = field(default_factory=dict)
    """Those that workers of this version get beside them, so that both are started in the same way."""
    dropped: tuple[str, ...] = ()
    """Environment variables that they do not inherit."""
    repository: Path | None = None
    """The repository of this version, if the other one is a tree of it."""
    tree: Path | None = None
    """That tree."""
    itself: bool = False
    """Whether it is this version again, for an A/A run."""

    def environment_from(self, own: Mapping[str, str]) -> dict[str, str]:
        """The environment variables of the other version, from this one's."""
        return {name: value for name, value in own.items() if name not in self.dropped} | dict(self.environment)

    def prepare(self) -> None:
        """Before both versions are started: store bytecode of the tree where this version has some."""
        if self.repository is not None and self.tree is not None:
            compile_alike(self.repository, self.tree)

    def check(self, labels: Sequence[LabelFacts]) -> None:
        """Raises `NotComparable` unless every label and its base have loaded different versions."""
        loaded = {facts.label: facts for facts in labels}
        for label, own in loaded.items():
            if (base := loaded.get(label + BASE)) is not None and not self.itself:
                self._refuse_one_version(own, base)

    def _refuse_one_version(self, own: LabelFacts, base: LabelFacts) -> None:
        if not base.code:
            raise NotComparable(
                f"The version of firstpacket that '{base.label}' runs on does not report which code it loads, so it "
                "is unknown what would be compared. Compare with a later version."
            )
        if self.repository is None or self.tree is None:
            _refuse_same_environment(self.name, own, base)
        else:
            _refuse_other_trees(self.name, self.repository, self.tree, own, base)


def with_base(
    systems: Sequence[System], given: Mapping[str, Mapping[str, OptionValue]], version: CodeVersion
) -> tuple[System, ...]:
    """Every system followed by the other version's, which gets the options that were given for it.

    Raises `UsageError` for labels that would be ambiguous.
    """
    labels = {system.label for system in systems}
    for label in labels:
        if label + BASE in labels or not LABEL.fullmatch(label + BASE):
            raise UsageError(
                f"Label '{label}' cannot be measured alongside '{label}{BASE}': choose another, or a shorter one."
            )
    return tuple(
        each
        for system in systems
        for each in (
            system,
            replace(
                system, label=system.label + BASE, source=version.name, options=dict(given[system.label]), engines={}
            ),
        )
    )


def _refuse_same_environment(name: str, own: LabelFacts, base: LabelFacts) -> None:
    if set(own.code) == set(base.code):
        raise NotComparable(
            f"'{own.label}' and '{base.label}' load everything from the same folders ({', '.join(base.code)}): "
            f"{name} is not another version. Pass the Python of an environment where the other one is installed."
        )


def _refuse_other_trees(name: str, repository: Path, tree: Path, own: LabelFacts, base: LabelFacts) -> None:
    if not _inside(repository, tree, own):
        raise NotComparable(
            f"'{own.label}' loads no code from {repository} (only from {', '.join(own.code)}), so there is nothing to "
            f"compare with {name}. Install the project in place (pip install -e .), or pass --against the Python of "
            "an environment where the other version is installed."
        )
    if here := _inside(repository, tree, base):
        raise NotComparable(
            f"'{base.label}' should run {name} but loads from {', '.join(here)}: this version would be compared with "
            "itself. Editable installs with import hooks do that (meson-python, scikit-build-core). Pass --against the "
            "Python of an environment where the other version is installed."
        )
    if not any(Path(folder).is_relative_to(tree) for folder in base.code):
        raise NotComparable(
            f"'{base.label}' should run {name} but loads none of its code. Use --against-path to name the folder of "
            "the repository that contains its packages."
        )


def _inside(repository: Path, tree: Path, facts: LabelFacts) -> list[str]:
    """Folders of the repository, outside the other version's tree, that a worker loads code from.

    Installed packages do not count, even if the environment is inside the repository.
    """
    return [
        folder
        for folder in facts.code
        if Path(folder).is_relative_to(repository)
        and not Path(folder).is_relative_to(tree)
        and not {"site-packages", "dist-packages"} & set(Path(folder).parts)
    ]
