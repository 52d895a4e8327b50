"""Where commands print: tables on standard output, everything else on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console(stderr: bool = True) -> Console:
    """A console that does not highlight numbers."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def progress(shown: Console) -> Any:
    """A bar on a terminal, lines elsewhere; a context manager."""
    from firstpacket.bench.progress import BarProgress, PlainProgress

    return BarProgress(shown) if shown.is_terminal else PlainProgress(shown)
