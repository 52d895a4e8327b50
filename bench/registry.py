"""Validation of plugins: is it a pipeline, do the options fit its declaration, are its requirements installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import BenchError, MissingDependency, UnknownName, UsageError, install_command
from firstpacket.bench.paths import documentation
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Pipeline, Settings
from firstpacket.bench.plugins import engine, names
from firstpacket.bench.sanitize import clean, reason
from firstpacket.bench.vocabulary import StageKind

__all__ = [
    "ENGINE_GROUPS",
    "Missing",
    "check_options",
    "check_settings",
    "checked_declaration",
    "checked_options",
    "engine",
    "has_option",
    "missing",
    "names",
    "pipeline",
    "require",
    "value",
]

ENGINE_GROUPS: tuple[StageKind, ...] = ("asr", "llm", "tts")


def pipeline(name: str) -> type[Pipeline]:
    """The pipeline class registered as `name`."""
    found = engine("pipelines", name)
    if not (isinstance(found, type) and issubclass(found, Pipeline)):
        raise UsageError(
            f"The plugin '{name}' is not a pipeline: it must be a class derived from Pipeline of firstpacket."
        )
    checked_declaration(name, getattr(found, "declaration", None))
    return found


def checked_declaration(name: str, given: object) -> Declaration:
    """A plugin's declaration, its types checked. Raises `UsageError` that names the field that is wrong."""
    try:
        if not isinstance(given, Declaration):
            raise DecodeError(f"declaration: expected a Declaration, found {type(given).__name__}")
        declaration = decode(Declaration, encode(given), "declaration")
        _check_unique("stages", [stage.id for stage in declaration.stages])
        _check_unique("options", [option.name for option in declaration.options])
        _check_defaults(declaration.options)
    except DecodeError as error:
        raise UsageError(
            f"The plugin '{name}' has no valid declaration: {clean(str(error))}; see {documentation('add-a-pipeline')}."
        ) from error
    return declaration


def _check_unique(what: str, names: list[str]) -> None:
    if again := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DecodeError(f"declaration.{what}: '{again[0]}' is there more than once")


def _check_defaults(options: Iterable[Option]) -> None:
    for option in options:
        if option.choices and option.default not in option.choices:
            raise DecodeError(f"declaration.options: the default of '{option.name}' is none of its choices")


def check_options(name: str, given: Mapping[str, str | OptionValue]) -> tuple[Declaration, dict[str, OptionValue]]:
    """Check options against the pipeline's declaration.

    Returns the declaration for these options, and all options, converted, with defaults filled in.
    Raises `UnknownName` for a key or an engine that does not exist and `UsageError` for a value that does not fit.
    """
    plugin = pipeline(name)
    chosen = {key: value for key, value in given.items() if isinstance(value, (str, int, float, bool))}
    try:
        made = plugin.declare(chosen)
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"The plugin '{name}' cannot be declared ({reason(error)}); see {documentation('add-a-pipeline')}."
        ) from error
    declaration = checked_declaration(name, made)
    return declaration, checked_options(f"pipeline '{name}'", declaration.options, given)


def has_option(name: str, option: str) -> bool:
    """Whether a pipeline has an option whatever else is chosen. Raises as `pipeline` does."""
    return option in {each.name for each in pipeline(name).declaration.options}


def value(name: str, option: str, given: Mapping[str, str | OptionValue]) -> OptionValue:
    """One of the options of `has_option`, converted. Raises `UsageError` for a value that does not fit."""
    declared = next(each for each in pipeline(name).declaration.options if each.name == option)
    return _convert(declared, given[option]) if option in given else declared.default


def checked_options(
    owner: str, declared: Iterable[Option], given: Mapping[str, str | OptionValue]
) -> dict[str, OptionValue]:
    """All options that `owner` has declared, converted, with defaults filled in. Raises as `check_options` does."""
    options = {option.name: option for option in declared}
    for key in given:
        if key not in options:
            raise UnknownName(f"option of {owner}", key, options, "`bench list` describes them.")
    return {key: _convert(option, given[key]) if key in given else option.default for key, option in options.items()}


@dataclass(frozen=True, slots=True)
class Missing:
    """Requirements of a declaration that are not installed."""

    modules: tuple[str, ...]
    install: str


def check_settings(name: str, settings: Settings) -> None:
    """Create the pipeline object, which imports no model library but may reject options. Raises `BenchError`."""
    try:
        pipeline(name)(settings)
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"The plugin '{name}' cannot be created ({reason(error)}).") from error


def missing(declaration: Declaration) -> Missing | None:
    """What must be installed before this can run; `None` if nothing. Imports nothing."""
    lacking = [need for need in declaration.requires if not _importable(need.module)]
    if not lacking:
        return None
    extras = sorted({need.extra for need in lacking})
    install = declaration.install or install_command(*extras)
    return Missing(tuple(need.module for need in lacking), install)


def require(declaration: Declaration) -> None:
    """Raise `MissingDependency`, with the command to install them, if requirements are missing."""
    lacking = missing(declaration)
    if lacking:
        raise MissingDependency(
            f"'{declaration.name}' needs packages that are not installed: {', '.join(lacking.modules)}. "
            f"Install it with: {lacking.install}"
        )


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _convert(option: Option, given: OptionValue) -> OptionValue:
    kind = type(option.default)
    try:
        value = _to_kind(kind, given)
    except ValueError as error:
        expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise UsageError(f"Option {option.name}={given}: expected {expected} ({option.help})") from error
    choices = option.choices or (names(option.engines) if option.engines else ())
    if choices and value not in choices:
        raise UnknownName(f"value of option {option.name}:", str(value), map(str, choices))
    return value


def _to_kind(kind: type, given: OptionValue) -> OptionValue:
    text = str(given).strip()
    if kind is bool:
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise ValueError(text)
    if kind is int:
        return int(text)
    if kind is float:
        return float(text)
    return str(given)
