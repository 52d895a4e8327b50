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
from firstpacket.bench.paths import documentation

if TYPE_CHECKING:
    from firstpacket.bench.gate.limits import Limits
    from firstpacket.bench.gate.noise import Finding
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
        str | None, typer.Option(metavar="RUN|NAME|auto", help="Earlier run to compare with, without --against. [auto]")
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Run A/A: compare this version with itself, and save the noise band.")
    ] = False,
    limits: Annotated[Path | None, typer.Option(help="TOML file with the limits. [bench.toml]")] = None,
    allow: Annotated[
        str | None, typer.Option(help="Verdicts that pass with a notice: inconclusive,no-baseline.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs of turns per label and round. [100]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with run options. [bench.toml]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to create. [reports/gate-DATE]")] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html of round 1.")] = True,
) -> None:
    """Fail if latency got worse. Exit codes: 0 passed, 10 regressed, 11 inconclusive, 12 no
    baseline, 13 not comparable."""
    from firstpacket.bench.config import gather
    from firstpacket.bench.errors import UsageError
    from firstpacket.bench.gate.limits import FILE
    from firstpacket.bench.gate.run import Reference, run_aa, run_gate

    if sum((against is not None, baseline is not None, aa)) > 1:
        raise UsageError("--against, --baseline and --aa cannot be combined: a gate compares with one baseline.")
    if against_path and against is None:
        raise UsageError("--against-path needs --against: it names the folder of that revision's packages.")
    options = _options(gather(given, config or (FILE if FILE.exists() else None)), pairs)
    wanted = _limits(limits, {"pairs": pairs, "allow": allow.split(",") if allow else None})
    command = ["bench", *sys.argv[1:]]
    with progress(console()) as seen:
        if aa:
            _show_noise(*run_aa(options, wanted, seen, out, command))
            return
        reference = Reference(against or "", tuple(against_path or ()), baseline or "auto")
        result, folder = run_gate(options, wanted, reference, seen, out, command)
    _show(result, folder, report)
    raise typer.Exit(result.exit_code)


def _options(options: Options, pairs: int | None) -> Options:
    """Audio is not kept: a gate needs only figures. `--pairs` takes precedence over `turns` of a file."""
    return replace(options, keep_audio=False, out=None, turns=None if pairs else options.turns)


def _limits(path: Path | None, flags: Mapping[str, Any]) -> Limits:
    """The limits in force: flags take precedence over the file."""
    from firstpacket.bench.gate.limits import limits, read_limits

    found = read_limits(path)
    checked = limits({name: value for name, value in flags.items() if value is not None}, "command line")
    return replace(found, **{name: getattr(checked, name) for name, value in flags.items() if value is not None})


def _show(result: GateResult, folder: Path, report: bool) -> None:
    from firstpacket.bench.export.gate import write_gate
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
    first = folder / "round-1"
    if report and (first / MANIFEST).exists() and (run := read_run(first)).turns:
        say(f"report:  {write_report([run], folder / 'report.html')}")
    if any(check.verdict == "inconclusive" for check in result.failing):
        say(f"next:    measure more pairs (--pairs), or use a quieter machine; see {documentation('gate')}")
    said = "passed" if result.exit_code == 0 else f"failed, exit code {result.exit_code}"
    say(f"gate:    {result.verdict} ({said})")


def _show_noise(found: Mapping[str, Finding], folder: Path) -> None:
    for finding in found.values():
        for kind, band in (("within one run", finding.same_job), ("between runs", finding.between_runs)):
            said = "unknown, too few pairs" if band is None else f"{100 * band:.2g} %"
            say(f"noise {kind}: {said}", stderr=False)
    say(f"runs:    {folder}")
