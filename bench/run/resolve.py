"""Labels as they were written → systems as they will be measured, once; nothing else asks the registry about options.

A worker checks the options it is sent once more: it may be another version, with other defaults.
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
"""The option by which a pipeline says which weights its parts take."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One label: as it was given (with what the run gives to it), as it declares itself, and as it will be measured."""

    choice: PipelineChoice
    declaration: Declaration
    system: System


def resolve(options: Options) -> tuple[tuple[Resolved, ...], tuple[str, ...]]:
    """Every label of the options, and notices on them. Nothing is loaded.

    Raises `UnknownName` for what does not exist, `UsageError` for values that do not fit (each other, the input, or the
    other labels), and `MissingDependency` for what is not installed.
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
    return resolved, (*notices, *_input_notices(options, resolved))


def resolve_one(choice: PipelineChoice, options: Options) -> Resolved:
    """One label by itself. Raises as `resolve` does."""
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
    )
    # Making the object imports no model library, but lets the pipeline refuse values before anything is loaded.
    registry.check_settings(choice.name, system.settings)
    return Resolved(choice, declaration, system)


def require_runnable(systems: Sequence[System]) -> tuple[Declaration, ...]:
    """How systems that were resolved before, here or elsewhere, declare themselves here and now.

    Raises `BenchError` unless they can be run.
    """
    declarations = tuple(registry.check_options(system.pipeline, system.options)[0] for system in systems)
    for declaration in declarations:
        registry.require(declaration)
    return declarations


def package_versions(systems: Sequence[System], declarations: Sequence[Declaration]) -> dict[str, str]:
    """Versions of everything that these systems, as they declare themselves, are made of, and of the harness."""
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
    """The run's weights for every label that has the choice and does not make it. Raises `UsageError` if none has."""
    if options.weights is None:
        return options.pipelines
    takers = {choice.label for choice in options.pipelines if registry.has_option(choice.name, WEIGHTS)}
    if not takers:
        raise UsageError(f"--weights {options.weights}: no pipeline of this run has a choice of weights. Leave it out.")
    return tuple(
        replace(choice, options={WEIGHTS: options.weights, **choice.options}) if choice.label in takers else choice
        for choice in options.pipelines
    )


def _require_realtime(options: Options, resolved: Sequence[Resolved]) -> None:
    """Raises `UsageError` if a label looks for the end of speech in a clip that is cut there."""
    for each in resolved:
        if each.declaration.finds_speech_end and options.input == "file":
            raise UsageError(
                f"'{each.choice.label}' finds the end of speech by itself, in the silence after it; with file input "
                "the clip is cut there. Run with --input realtime, or use endpoint=oracle."
            )


def _input_notices(options: Options, resolved: Sequence[Resolved]) -> tuple[str, ...]:
    """File input takes from a pipeline what it could have done while the user spoke; readers must know."""
    early = [each.choice.label for each in resolved if each.declaration.starts_before_speech_ends]
    if options.input != "file" or not early or len(early) == len(resolved):
        return ()
    return (
        f"{', '.join(early)} can work while the user speaks, but with file input the clip comes at one instant, after "
        "which all its work begins. In a conversation it would answer sooner: see --input realtime.",
    )
