"""Where commands print: tables on standard output, everything else on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from firstpacket.bench.tables.table import Table


_WIDTH = 80
"""Where COLUMNS is 0, as in containers whose terminal has no size."""


def console(stderr: bool = True) -> Console:
    """A console that does not highlight numbers."""
    from rich.console import Console

    shown = Console(stderr=stderr, highlight=False)
    shown.width = shown.width or _WIDTH
    return shown


def say(line: object, stderr: bool = True) -> None:
    """Print a line as it is: without markup, and unbroken."""
    console(stderr).print(line, markup=False, soft_wrap=True)


def print_tables(*tables: Table) -> None:
    """Print tables on standard output."""
    from firstpacket.bench.tables.terminal import TerminalTable

    for table in tables:
        console(stderr=False).print(TerminalTable(table))


def progress(shown: Console) -> Any:
    """A bar on a terminal, lines elsewhere; a context manager."""
    from firstpacket.bench.progress import BarProgress, PlainProgress

    return BarProgress(shown) if shown.is_terminal else PlainProgress(shown)
