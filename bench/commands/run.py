"""`bench run`: measure, print what came of it, write the report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from firstpacket.bench.commands.console import console, say
from firstpacket.bench.commands.console import progress as _progress
from firstpacket.bench.commands.flags import run_options
from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.options import about, flag


@run_options()
def run(
    given: dict[str, Any],
    config: Annotated[Path | None, typer.Option(help="TOML file with these options; flags take precedence.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Run folder of a stopped run to resume, with its own options: only its usage limits can be changed."
        ),
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run folder.")] = True,
) -> None:
    """Measure one or more pipelines on a corpus, turn by turn."""
    from firstpacket.bench.config import gather
    from firstpacket.bench.run import session

    with _progress(console()) as progress:
        if resume is not None:
            _refuse_with_resume(given, config)
            path = session.resume(resume, progress, given)
        else:
            path = session.start(gather(given, config), ["bench", *sys.argv[1:]], progress)
    _show_end(path, report)


def _refuse_with_resume(given: dict[str, Any], config: Path | None) -> None:
    """A resumed run keeps its options, but for some limits. Raises `UsageError` if others are given."""
    named = [flag(name) for name in given if not about()[name].on_resume]
    named += ["--config"] if config is not None else []
    if named:
        raise UsageError(f"--resume uses the options of the stopped run; remove {', '.join(named)}.")


def _show_end(path: Path, report: bool) -> None:
    from firstpacket.bench.compare.comparable import require_valid
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.report.printed import print_run
    from firstpacket.bench.summary.summarise import summarise

    found = read_run(path)
    summary = summarise(found)
    print_run(console(stderr=False), found, summary)
    say(f"run:    {path}")
    if report:
        from firstpacket.bench.report.html import write_report

        say(f"report: {write_report([found], path / 'report.html')}")
    answered = {turn.label for turn in found.turns if turn.is_answered}
    silent = [plan.label for plan in found.manifest.labels if plan.label not in answered]
    if silent:
        raise BenchError(f"No turn of {', '.join(silent)} was answered; see the reasons above and the logs in {path}.")
    require_valid(found)
