"""The options of a run as parameters of a command, made from the fields of `Options`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args

import typer

from firstpacket.bench.options import About, Options, about, flag, kinds

Command = Callable[..., None]
DEFAULTS = Options()


def run_options(gate: bool = False) -> Callable[[Command], Command]:
    """Add a flag to a command for every option of a run, or for those that a gate takes.

    The command's first parameter receives the given options by field name, parsed but not checked; its other parameters
    stay as they are.
    """
    taken = {name: known for name, known in about().items() if known.gate or not gate}

    def decorate(command: Command) -> Command:
        _, *others = signature(command, eval_str=True).parameters.values()
        own = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in others]
        flags = [_parameter(name, known) for name, known in taken.items()]

        @wraps(command)
        def called(**values: Any) -> None:
            given = {name: _parsed(known, values.pop(name)) for name, known in taken.items()}
            command({name: value for name, value in given.items() if value not in (None, ())}, **values)

        parameters = [flags[0], *own, *flags[1:]] if gate else [*flags, *own]
        called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate


def _parameter(name: str, known: About) -> Parameter:
    default = getattr(DEFAULTS, name)
    shown = known.shown or shown_default(default)
    said = f"{known.help} [{shown}]" if shown else known.help
    info = typer.Option(*_flags(name, known, default), help=said, metavar=known.metavar or None)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_type(name, known), info])


def shown_default(default: object) -> str:
    """A default as help shows it; empty if there is none, or for a switch that is off."""
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default in (None, ()) or default is False else str(default)


def _flags(name: str, known: About, default: object) -> tuple[str, ...]:
    """A switch that is on by default also gets a `--no-` form."""
    written = known.flags or (flag(name),)
    return (f"{written[0]}/--no-{written[0].removeprefix('--')}",) if default is True else written


def _type(name: str, known: About) -> Any:
    """The type for Typer; choices are checked later, together with the config file's."""
    kinds_here = {kind for kind in (kinds()[name], *get_args(kinds()[name])) if kind in (int, float, bool)}
    if name == "pipelines":
        return list[str] | None
    return str | None if known.parse or not kinds_here else kinds_here.pop() | None


def _parsed(known: About, value: Any) -> Any:
    if known.parse is None or value is None:
        return value
    return tuple(map(known.parse, value)) if isinstance(value, list) else known.parse(value)
