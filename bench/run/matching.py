"""Matches systems where possible, so that they differ only in their architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import PipelineChoice
from firstpacket.bench.pipeline import Match
from firstpacket.bench.record.schema import System

SWITCH = "matched"
"""The option of pipelines that can be matched with the direct one of the run."""


def is_wanted(choice: PipelineChoice, all_that_can: bool) -> bool:
    """Whether a system is to be matched, by its own option or because `all_that_can` are."""
    if not registry.has_option(choice.name, SWITCH):
        return False
    return all_that_can if SWITCH not in choice.options else bool(registry.value(choice.name, SWITCH, choice.options))


def require_candidates(all_that_can: bool, wanted: Sequence[str]) -> None:
    """Raises `UsageError` if all systems that can be matched should be, and none can."""
    if all_that_can and not wanted:
        raise UsageError(
            "--matched adapts cascades to the direct pipeline, but this run has none to adapt (those with "
            "matched=false are left as they are). Add a cascade, or remove --matched."
        )


def model(choices: Sequence[PipelineChoice]) -> PipelineChoice:
    """The direct pipeline to match with. Raises `UsageError` unless there is exactly one."""
    direct = [choice for choice in choices if registry.pipeline(choice.name).declaration.kind == "direct"]
    if len(direct) != 1:
        raise UsageError(
            f"A matched cascade needs exactly one direct pipeline in the run to match, but there are {len(direct)}. "
            "Pass one, for example --pipeline direct."
        )
    return direct[0]


def matched(choice: PipelineChoice, other: System) -> tuple[PipelineChoice, str]:
    """The choice matched with `other`, and a notice on what is then the same and what is not.

    Raises `UsageError` if it cannot be matched, or an option was given that the match would change.
    """
    try:
        match = registry.pipeline(choice.name).match(choice.options, other.pipeline, other.options)
    except UsageError:
        registry.check_options(choice.name, choice.options)  # has the better message for an unknown option or engine
        raise
    for name, value in match.options.items():
        if name in choice.options and str(choice.options[name]) != str(value):
            raise UsageError(
                f"'{choice.label}' is to be matched with '{other.label}', which needs {name}={value}, but "
                f"{name}={choice.options[name]} was given. Remove one of them."
            )
    return replace(choice, options={**choice.options, **match.options, SWITCH: True}), _notice(choice, other, match)


def _notice(choice: PipelineChoice, other: System, match: Match) -> str:
    return (
        f"{choice.label} is matched with {other.label} in {', '.join(match.same)}. "
        f"Not matched: {', '.join(match.different)}."
    )
