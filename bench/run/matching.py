"""Makes labels alike where they can be, so that what differs between them is the architecture."""

from __future__ import annotations

from dataclasses import replace

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import Match

SWITCH = "matched"
"""The option by which a pipeline says that it can be matched with the direct one of its run."""


def matched(options: Options) -> tuple[Options, tuple[str, ...]]:
    """The options with every label matched that asks for it, and a notice for each: what is the same, what is not.

    `Options.matched` asks for all labels that can be. Raises `UsageError` if there is not one direct label to match
    with, none to be matched, or an option was given that a match would change.
    """
    asking = [choice for choice in options.pipelines if _asks(choice, options.matched)]
    if not asking:
        if options.matched:
            raise UsageError(
                "--matched makes cascades like the direct pipeline, but this run has none that may be matched "
                "(matched=false keeps one as it is)."
            )
        return options, ()
    model = _model(options.pipelines)
    chosen, notices = list(options.pipelines), []
    for place, choice in enumerate(chosen):
        if choice in asking:
            chosen[place], notice = _matched(choice, model)
            notices.append(notice)
    return replace(options, pipelines=tuple(chosen)), tuple(notices)


def _asks(choice: PipelineChoice, all_can: bool) -> bool:
    declaration, values = registry.check_options(choice.name, choice.options)
    can = any(option.name == SWITCH for option in declaration.options)
    return can and (bool(values[SWITCH]) or (all_can and SWITCH not in choice.options))


def _model(choices: tuple[PipelineChoice, ...]) -> PipelineChoice:
    """The direct label of the run."""
    direct = [choice for choice in choices if registry.pipeline(choice.name).declaration.kind == "direct"]
    if len(direct) != 1:
        raise UsageError(
            f"A matched cascade is made like the direct pipeline of its run, but there are {len(direct)} of them. "
            "Name one, for example --pipeline direct."
        )
    return direct[0]


def _matched(choice: PipelineChoice, model: PipelineChoice) -> tuple[PipelineChoice, str]:
    _, others = registry.check_options(model.name, model.options)
    match = registry.pipeline(choice.name).match(choice.options, model.name, others)
    for name, value in match.options.items():
        if name in choice.options and str(choice.options[name]) != str(value):
            raise UsageError(
                f"'{choice.label}' is to be matched with '{model.label}', which needs {name}={value}, but "
                f"{name}={choice.options[name]} was given. Leave out one of them."
            )
    return replace(choice, options={**choice.options, **match.options, SWITCH: True}), _notice(choice, model, match)


def _notice(choice: PipelineChoice, model: PipelineChoice, match: Match) -> str:
    return (
        f"{choice.label} is matched with {model.label} in {', '.join(match.same)}. "
        f"Not matched: {', '.join(match.different)}."
    )
