"""Another version of the code, whose workers are measured alongside this one's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firstpacket.bench.errors import BenchError, NotComparable, RunError, UsageError
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import LabelFacts, System
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.protocol import Instrument
from firstpacket.bench.sanitize import LABEL

BASE = ".base"
"""Ends the labels of the other version."""


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """How workers of another version are started."""

    name: str
    """For people and the record."""
    python: tuple[str, ...]
    """The command that starts Python in that version's surroundings."""
    environment: Mapping[str, str]
    """Variables that its workers get on top of this version's."""
    dropped: tuple[str, ...] = ()
    """Variables that they do not get."""
    repository: Path | None = None
    """Where this version's code lies, if the other one is a tree of the same repository."""
    tree: Path | None = None
    """That tree."""
    itself: bool = False
    """Whether it is this version once more, to see what the same code shows against itself."""

    def surroundings(self, own: Mapping[str, str]) -> dict[str, str]:
        """This version's environment as the other one gets it."""
        return {name: value for name, value in own.items() if name not in self.dropped} | dict(self.environment)

    def check(self, labels: Sequence[LabelFacts]) -> None:
        """Raises `NotComparable` unless every label and its base have loaded code of two versions."""
        loaded = {facts.label: facts for facts in labels}
        for label, own in loaded.items():
            if (base := loaded.get(label + BASE)) is not None and not self.itself:
                self._refuse_one_version(own, base)

    def _refuse_one_version(self, own: LabelFacts, base: LabelFacts) -> None:
        if not base.code:
            raise NotComparable(
                f"The version of firstpacket that '{base.label}' runs on does not say which code it loads, so nobody "
                "could tell what would be compared. Compare with a later version."
            )
        if self.repository is None or self.tree is None:
            _refuse_same_surroundings(self.name, own, base)
        else:
            _refuse_other_trees(self.name, self.repository, self.tree, own, base)


class BaselineExecutor(ProcessExecutor):
    """Runs turns on another version; what keeps it from loading keeps the two from being compared."""

    def __init__(
        self,
        system: System,
        log: Path,
        own_environment: Mapping[str, str],
        version: CodeVersion,
        instruments: tuple[Instrument, ...] = (),
    ) -> None:
        super().__init__(system, log, version.surroundings(own_environment), version.python, instruments)
        self._version = version

    def start(self) -> LabelFacts:
        """Start and load. Raises `NotComparable` if that version cannot be."""
        try:
            return super().start()
        except RunError:
            raise
        except (BenchError, OSError) as error:
            raise NotComparable(
                f"{self._version.name} cannot be measured beside this version: {error} If files are missing that the "
                "repository does not hold (built extensions, models), give --against the Python of an environment in "
                "which that version is installed, with firstpacket."
            ) from error


def with_base(
    systems: Sequence[System], given: Mapping[str, Mapping[str, OptionValue]], version: CodeVersion
) -> tuple[System, ...]:
    """Every label followed by the other version's, which gets the options that were given for it.

    Raises `UsageError` for labels that could not be told apart.
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


def _refuse_same_surroundings(name: str, own: LabelFacts, base: LabelFacts) -> None:
    if set(own.code) == set(base.code):
        raise NotComparable(
            f"'{own.label}' and '{base.label}' load everything from the same folders ({', '.join(base.code)}): "
            f"{name} is no other version. Name the Python of an environment in which the other one is installed."
        )


def _refuse_other_trees(name: str, repository: Path, tree: Path, own: LabelFacts, base: LabelFacts) -> None:
    if not _inside(repository, tree, own):
        raise NotComparable(
            f"No code of {repository} is loaded by '{own.label}' (but from {', '.join(own.code)}): there is nothing to "
            f"compare with {name}. Install the project in place (pip install -e .), or give --against the Python of "
            "an environment in which the other version is installed."
        )
    if here := _inside(repository, tree, base):
        raise NotComparable(
            f"'{base.label}' should run {name} but loads from {', '.join(here)}: this version would be compared with "
            "itself. Editable installs that hook into imports do that (meson-python, scikit-build-core). Give "
            "--against the Python of an environment in which the other version is installed."
        )
    if not any(Path(folder).is_relative_to(tree) for folder in base.code):
        raise NotComparable(
            f"'{base.label}' should run {name} but loads none of its code. Say with --against-path which folder of "
            "the repository its packages lie in."
        )


def _inside(repository: Path, tree: Path, facts: LabelFacts) -> list[str]:
    """Folders of the repository, outside the other version's tree, that a worker loads code from.

    Installed packages are not the repository's code, though an environment may lie inside it.
    """
    return [
        folder
        for folder in facts.code
        if Path(folder).is_relative_to(repository)
        and not Path(folder).is_relative_to(tree)
        and not {"site-packages", "dist-packages"} & set(Path(folder).parts)
    ]
