"""`bench compare`: the systems of one run, or two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstpacket.bench.commands.console import print_tables, say

if TYPE_CHECKING:
    from firstpacket.bench.compare.findings import Report


def compare(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    other: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A second run with the same labels.")] = None,
    metric: Annotated[str, typer.Option(help="Metric of the headline.")] = "first_packet_latency",
    labels: Annotated[
        str, typer.Option(metavar="BASE,OTHER", help="Compare only these two; with two runs, one of each.")
    ] = "",
    ladder: Annotated[
        str, typer.Option(metavar="A,B,...", help="Labels to compare step by step, in this order. [all]")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All metrics, not only the main ones.")] = False,
    allow: Annotated[str, typer.Option(metavar="RULE,...", help="Compare despite these mismatches.")] = "",
    band: Annotated[str, typer.Option(help="Run-to-run noise of the same code here, such as 2%.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON, as documented on the page compare.md.")] = False,
) -> None:
    """Compare the systems of one run, turn by turn, or the same systems in two runs, clip by clip."""
    from firstpacket.bench.compare.findings import Question, of_labels, of_runs
    from firstpacket.bench.record.store import read_run

    question = Question(metric, _names(labels), _names(ladder), every, _names(allow), _band(band))
    first = read_run(path)
    report = of_labels(first, question) if other is None else of_runs(first, read_run(other), question)
    if json:
        from firstpacket.bench.contract import written

        typer.echo(written("comparison", report), nl=False)
    else:
        _print(report)


def _print(report: Report) -> None:
    from firstpacket.bench.compare.tables import contributions, differences, ladder_table

    for found in report.findings:
        say(found.statement, stderr=False)
    typer.echo()
    steps = [ladder_table(report.ladder)] if report.ladder else []
    print_tables(*differences(report), *contributions(report), *steps)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _band(text: str) -> float | None:
    from firstpacket.bench.options import share

    return share(text, "--band", below=1.0) if text else None
