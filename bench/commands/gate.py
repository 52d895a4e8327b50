"""`bench gate`: measure, compare with a baseline, exit with the verdict."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstpacket.bench.commands.console import console, print_tables, progress, say
from firstpacket.bench.commands.flags import run_options

if TYPE_CHECKING:
    from firstpacket.bench.gate.limits import Limits
    from firstpacket.bench.gate.result import GateResult
    from firstpacket.bench.options import Options


@run_options(gate=True)
def gate(
    given: dict[str, Any],
    against: Annotated[
        str | None,
        typer.Option(metavar="GITREV|COMMAND", help="Version to compare with: git revision or Python command."),
    ] = None,
    against_path: Annotated[
        list[str] | None, typer.Option(help="Folder of its packages in the repository; repeatable. [root and src]")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN|NAME|auto", help="Earlier runs to compare with, instead of --against. [auto]"),
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Compare this version with itself, to see what this machine can tell.")
    ] = False,
    limits: Annotated[Path | None, typer.Option(help="TOML file with the limits. [bench.toml]")] = None,
    allow: Annotated[
        str | None, typer.Option(help="Verdicts that pass with a notice: inconclusive,no-baseline.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Time for measuring; inconclusive if it is not enough. [10]")
    ] = None,
    pairs: Annotated[int | None, typer.Option(hidden=True)] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Continue an interrupted gate; takes no other options.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with run options. [bench.toml]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to create. [reports/gate-DATE]")] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
) -> None:
    """Fail if latency got worse. Exit codes: 0 passed, 10 regressed, 11 inconclusive, 12 no
    baseline, 13 not comparable."""
    from firstpacket.bench.config import gather
    from firstpacket.bench.errors import UsageError
    from firstpacket.bench.gate.limits import FILE, REPLACED
    from firstpacket.bench.gate.run import resume_gate, run_gate
    from firstpacket.bench.gate.state import Reference

    if pairs is not None:
        raise UsageError(f"--pairs no longer exists; use --{REPLACED['pairs']}.")
    if sum((against is not None, baseline is not None, aa)) > 1:
        raise UsageError("--against, --baseline and --aa cannot be combined: a gate compares with one baseline.")
    if against_path and against is None:
        raise UsageError("--against-path needs --against: it names the folder of that revision's packages.")
    with progress(console()) as seen:
        if resume is not None:
            if given or against or baseline or aa or limits or allow or max_minutes or config or out:
                raise UsageError("--resume takes no other options: the gate continues with those that it began with.")
            result, folder = resume_gate(resume, seen), resume
        else:
            options = _options(gather(given, config or (FILE if FILE.exists() else None)))
            wanted = _limits(limits, {"max_minutes": max_minutes, "allow": allow.split(",") if allow else None})
            reference = Reference(against or "", tuple(against_path or ()), baseline or "auto", aa)
            result, folder = run_gate(options, wanted, reference, seen, out, ["bench", *sys.argv[1:]])
    _show(result, folder, report)
    raise typer.Exit(result.exit_code)


def _options(options: Options) -> Options:
    """Audio is not kept: a gate needs only figures. It decides itself how many turns it needs."""
    return replace(options, keep_audio=False, out=None, turns=None)


def _limits(path: Path | None, flags: Mapping[str, Any]) -> Limits:
    """The limits in force: flags take precedence over the file."""
    from firstpacket.bench.gate.limits import limits, read_limits

    found = read_limits(path)
    checked = limits({name: value for name, value in flags.items() if value is not None}, "command line")
    return replace(found, **{name: getattr(checked, name) for name, value in flags.items() if value is not None})


def _show(result: GateResult, folder: Path, report: bool) -> None:
    from firstpacket.bench.export.gate import write_gate
    from firstpacket.bench.gate.advice import advice
    from firstpacket.bench.gate.run import RUN
    from firstpacket.bench.gate.tables import checks_table
    from firstpacket.bench.record.store import MANIFEST, read_run
    from firstpacket.bench.report.html import write_report

    print_tables(checks_table(result))
    allowed = [
        check for check in result.checks if check not in result.failing and check.verdict not in ("same", "improved")
    ]
    for check in allowed:
        say(f"allowed: {check.label}: {check.verdict}: {check.reason}")
    say(f"files:   {', '.join(map(str, write_gate(result, folder)))}")
    run_folder = folder / RUN
    if report and (run_folder / MANIFEST).exists() and (run := read_run(run_folder)).turns:
        say(f"report:  {write_report([run], folder / 'report.html')}")
    for line in advice(result):
        say(f"next:    {line}")
    said = "passed" if result.exit_code == 0 else f"failed, exit code {result.exit_code}"
    say(f"gate:    {result.verdict} ({said})")
