"""docs/options.md, made from the options themselves: python -m firstpacket.bench.reference > docs/options.md"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from inspect import signature
from typing import Any, get_args

from firstpacket.bench.commands.flags import shown_default
from firstpacket.bench.commands.gate import gate
from firstpacket.bench.commands.run import run
from firstpacket.bench.options import Options, about, flag, kinds

KINDS = {int: "a whole number", float: "a number", bool: "a switch"}


def page() -> str:
    """The whole page."""
    return "\n".join(
        (
            "# Options",
            "",
            "<!-- Made by `python -m firstpacket.bench.reference > docs/options.md`; a test keeps it up to date. -->",
            "",
            "`bench run` takes all of these. A config file (`--config run.toml`) has them by the same names without",
            "dashes in front, and pipelines as tables `[[pipeline]]`; the command line wins. `bench gate` takes those",
            "with a *yes* under gate, and [the fixtures of pytest](pytest.md) those under pytest, as arguments",
            "with underscores.",
            "",
            "| option | value | default | | gate | pytest |",
            "|---|---|---|---|---|---|",
            *map(_row, about()),
            "",
            "## Only `bench run`",
            "",
            *_own(run, about()),
            "",
            "## Only `bench gate`",
            "",
            *_own(gate, [name for name, known in about().items() if known.gate]),
            "",
        )
    )


def _row(name: str) -> str:
    known = about()[name]
    default = known.shown or shown_default(getattr(Options(), name))
    marks = ("yes" if known.gate else "", "yes" if known.test else "")
    return f"| `{flag(name)}` | {_value(name)} | {default} | {_cell(known.help)} | {' | '.join(marks)} |"


def _value(name: str) -> str:
    known, kind = about()[name], kinds()[name]
    possible = get_args(kind) or (kind,)
    if known.metavar:
        return f"`{_cell(known.metavar)}`"
    said = " or ".join(KINDS[each] for each in possible if each in KINDS)
    if known.between is not None:
        said += " from {:.10g} to {:.10g}".format(*known.between)
    named = [*known.choices, *(text for each in possible for text in get_args(each)), *map(str, _texts(possible))]
    return " or ".join([*([said] if said else []), *(f"`{text}`" for text in named)]) or "text"


def _texts(possible: tuple[Any, ...]) -> list[str]:
    return [each for each in possible if isinstance(each, str)]


def _own(command: Callable[..., Any], taken: Collection[str]) -> Iterator[str]:
    """The parameters of a command that are not run options."""
    yield from ("| option | |", "|---|---|")
    for name in [each for each in signature(command).parameters if each not in taken]:
        (info,) = signature(command).parameters[name].annotation.__metadata__
        if info.hidden:
            continue
        written = info.default if isinstance(info.default, str) else f"--{name.replace('_', '-')}"
        yield f"| `{written}` | {_cell(info.help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
