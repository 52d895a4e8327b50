"""Resolves the pipelines of a run, as written by the user, to systems, once; nothing else looks options up.

A worker checks the options it receives again: it may be another version, with other defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firstpacket.bench import environment, packages, registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import Declaration
from firstpacket.bench.plugins import Plugin
from firstpacket.bench.record.schema import System
from firstpacket.bench.run import matching

WEIGHTS = "weights"
"""The option of pipelines that let the user choose weights."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One system: as given (with the run's defaults), as declared, and as measured."""

    choice: PipelineChoice
    declaration: Declaration
    system: System


def resolve(options: Options) -> tuple[tuple[Resolved, ...], tuple[str, ...]]:
    """Every system of the options, and notices on them. Nothing is loaded.

    Raises `UnknownName` for unknown names, `UsageError` for values that do not fit (each other, the input, or the other
    systems), and `MissingDependency` for requirements that are not installed.
    """
    options = replace(options, device=_device(options.device))
    choices = _with_weights(options)
    wanted = [choice.label for choice in choices if matching.is_wanted(choice, options.matched)]
    matching.require_candidates(options.matched, wanted)
    model = matching.model(choices) if wanted else None
    found = {model.label: resolve_one(model, options)} if model is not None else {}
    notices = []
    for choice in choices:
        if model is not None and choice.label in wanted:
            choice, notice = matching.matched(choice, found[model.label].system)
            notices.append(notice)
        if choice is not model:
            found[choice.label] = resolve_one(choice, options)
    resolved = tuple(found[choice.label] for choice in choices)
    _require_realtime(options, resolved)
    return resolved, (*notices, *_input_notices(options, resolved), *_endpoint_notices(resolved))


def resolve_one(choice: PipelineChoice, options: Options) -> Resolved:
    """One system by itself. Raises as `resolve` does."""
    declaration, values = registry.check_options(choice.name, choice.options)
    registry.require(declaration)
    device = _device(options.device) if declaration.gpu != "none" else "cpu"
    dtype = options.dtype if options.dtype != "auto" else ("bfloat16" if device != "cpu" else "float32")
    system = System(
        choice.label,
        choice.name,
        device,
        dtype,
        values,
        declaration.stages,
        seed=options.seed,
        finds_speech_end=declaration.finds_speech_end,
        kind=declaration.kind,
        engines=declaration.engines(values),
        overlaps=declaration.overlaps,
        needs_server=declaration.needs_server,
    )
    # Creating the object imports no model library, but lets the pipeline reject values before anything is loaded.
    registry.check_settings(choice.name, system.settings)
    return Resolved(choice, declaration, system)


def require_runnable(systems: Sequence[System]) -> tuple[Declaration, ...]:
    """The present declarations of systems that were resolved earlier, perhaps on another machine.

    Raises `BenchError` unless they can be run.
    """
    declarations = tuple(registry.check_options(system.pipeline, system.options)[0] for system in systems)
    for declaration in declarations:
        registry.require(declaration)
    return declarations


def package_versions(systems: Sequence[System], declarations: Sequence[Declaration]) -> dict[str, str]:
    """Versions of all packages behind these systems, and of the harness."""
    made_of = [Plugin("pipelines", system.pipeline) for system in systems]
    made_of += [
        Plugin(group, system.engines[group])
        for system in systems
        for group in registry.ENGINE_GROUPS
        if group in system.engines
    ]
    return packages.of_harness() | packages.versions(declarations, made_of)


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda:0" if environment.cuda_usable() else "cpu"
    return "cuda:0" if asked == "cuda" else asked


def _with_weights(options: Options) -> tuple[PipelineChoice, ...]:
    """Apply the run's weights to every pipeline with that option. Raises `UsageError` if none has it."""
    if options.weights is None:
        return options.pipelines
    takers = {choice.label for choice in options.pipelines if registry.has_option(choice.name, WEIGHTS)}
    if not takers:
        raise UsageError(
            f"--weights {options.weights}: no pipeline of this run has a choice of weights. Remove the option."
        )
    return tuple(
        replace(choice, options={WEIGHTS: options.weights, **choice.options}) if choice.label in takers else choice
        for choice in options.pipelines
    )


def _require_realtime(options: Options, resolved: Sequence[Resolved]) -> None:
    """Raises `UsageError` if a system must detect the end of speech in a clip that is cut there."""
    for each in resolved:
        if each.declaration.finds_speech_end and options.input == "file":
            given = each.declaration.speech_end_given
            raise UsageError(
                f"'{each.choice.label}' detects the end of speech by the silence that follows, but file input cuts the "
                f"clip there. Use --input realtime{f', or {given}' if given else ''}."
            )


def _endpoint_notices(resolved: Sequence[Resolved]) -> tuple[str, ...]:
    """Waiting for the end of speech is a large part of the latency: a system that is told has an advantage."""
    assistants = [each for each in resolved if each.declaration.kind != "other"]
    waiting = [each.choice.label for each in assistants if each.declaration.finds_speech_end]
    told = [each.choice.label for each in assistants if not each.declaration.finds_speech_end]
    if not (waiting and told):
        return ()
    return (
        f"{', '.join(waiting)} must wait to find the end of the user's speech, which the corpus tells "
        f"{', '.join(told)}: their differences contain that wait. For equal conditions, use endpoint=vad in all.",
    )


def _input_notices(options: Options, resolved: Sequence[Resolved]) -> tuple[str, ...]:
    """With file input a pipeline cannot work while the user speaks; readers must know."""
    early = [each.choice.label for each in resolved if each.declaration.starts_before_speech_ends]
    if options.input != "file" or not early:
        return ()
    return (
        f"{', '.join(early)} can work while the user speaks, but file input delivers the whole clip at one instant, so "
        "all work begins after it. With --input realtime it can begin before t0, and may answer sooner.",
    )
