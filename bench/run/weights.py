"""Gives labels the weights that a run asks for."""

from __future__ import annotations

from dataclasses import replace

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, PipelineChoice

SWITCH = "weights"
"""The option by which a pipeline says which weights its parts take."""


def with_weights(options: Options) -> Options:
    """The options with `Options.weights` for every label that has the choice and does not say otherwise.

    Raises `UsageError` if none has it.
    """
    if options.weights is None:
        return options
    chosen = tuple(_with_weights(choice, options.weights) for choice in options.pipelines)
    if not any(SWITCH in choice.options for choice in chosen):
        raise UsageError(f"--weights {options.weights}: no pipeline of this run has a choice of weights. Leave it out.")
    return replace(options, pipelines=chosen)


def _with_weights(choice: PipelineChoice, weights: str) -> PipelineChoice:
    declaration, _ = registry.check_options(choice.name, choice.options)
    if SWITCH not in {option.name for option in declaration.options}:
        return choice
    return replace(choice, options={SWITCH: weights, **choice.options})
