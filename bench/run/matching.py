"""Makes labels alike where they can be, so that what differs between them is the architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import PipelineChoice
from firstpacket.bench.pipeline import Match
from firstpacket.bench.record.schema import System

SWITCH = "matched"
"""The option by which a pipeline says that it can be matched with the direct one of its run."""


def is_wanted(choice: PipelineChoice, all_that_can: bool) -> bool:
    """Whether a label is to be matched: by its own option, or as one of `all_that_can` be."""
    if not registry.has_option(choice.name, SWITCH):
        return False
    return all_that_can if SWITCH not in choice.options else bool(registry.value(choice.name, SWITCH, choice.options))


def require_candidates(all_that_can: bool, wanted: Sequence[str]) -> None:
    """Raises `UsageError` if all labels that can be are to be matched, and none can."""
    if all_that_can and not wanted:
        raise UsageError(
            "--matched makes cascades like the direct pipeline, but this run has none that may be matched "
            "(matched=false keeps one as it is)."
        )


def model(choices: Sequence[PipelineChoice]) -> PipelineChoice:
    """The label to match with. Raises `UsageError` if there is not exactly one direct one."""
    direct = [choice for choice in choices if registry.pipeline(choice.name).declaration.kind == "direct"]
    if len(direct) != 1:
        raise UsageError(
            f"A matched cascade is made like the direct pipeline of its run, but there are {len(direct)} of them. "
            "Name one, for example --pipeline direct."
        )
    return direct[0]


def matched(choice: PipelineChoice, other: System) -> tuple[PipelineChoice, str]:
    """The label made like `other`, and what is then the same and what is not, for people.

    Raises `UsageError` if it cannot be, or an option was given that the match would change.
    """
    try:
        match = registry.pipeline(choice.name).match(choice.options, other.pipeline, other.options)
    except UsageError:
        registry.check_options(choice.name, choice.options)  # says it better where an option or engine does not exist
        raise
    for name, value in match.options.items():
        if name in choice.options and str(choice.options[name]) != str(value):
            raise UsageError(
                f"'{choice.label}' is to be matched with '{other.label}', which needs {name}={value}, but "
                f"{name}={choice.options[name]} was given. Leave out one of them."
            )
    return replace(choice, options={**choice.options, **match.options, SWITCH: True}), _notice(choice, other, match)


def _notice(choice: PipelineChoice, other: System, match: Match) -> str:
    return (
        f"{choice.label} is matched with {other.label} in {', '.join(match.same)}. "
        f"Not matched: {', '.join(match.different)}."
    )
