"""`bench redact`: a copy of a run to attach to a bug report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import say


def redact(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="New folder for the copy. [RUN-redacted]")] = None,
    clip_names: Annotated[bool, typer.Option("--clip-names", help="Replace the names of clips, too.")] = False,
) -> None:
    """Copy a run without its texts and audio, with the same latency figures."""
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.redact.copy import redact as copy

    result = copy(read_run(path), out or path.resolve().with_name(f"{path.resolve().name}-redacted"), clip_names)
    for title, texts in (("removed", result.removed), ("remains", result.remains), ("note", result.notices)):
        for text in texts:
            say(f"{title + ':':<9}{text}", stderr=False)
    say(f"written: {result.path}", stderr=False)
