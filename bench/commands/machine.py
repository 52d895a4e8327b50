"""`bench list`, `bench doctor` and `bench calibrate`: what can run here, and how exactly it is measured."""

from __future__ import annotations

from typing import Annotated

import typer

from firstpacket.bench.commands.console import console, print_tables, progress, say
from firstpacket.bench.errors import BenchError


def list_() -> None:
    """List pipelines, engines and corpora: what each is, what it needs, whether it is installed."""
    from rich.padding import Padding
    from rich.text import Text

    from firstpacket.bench.catalogue import catalogue

    shown = console(stderr=False)
    for entry in catalogue():
        shown.print(Text.assemble((f"{entry.group} {entry.name}", "bold"), f"  {entry.summary}"))
        lines = [f"kind {entry.kind}"] if entry.kind else []
        lines += [f"needs {entry.needs}"] if entry.needs else []
        lines += [] if entry.installed else [f"not installed: {entry.install or 'it cannot be imported'}"]
        lines += [*entry.details, *(f"option {option}" for option in entry.options)]
        for line in lines:
            shown.print(Padding(Text(line), (0, 0, 0, 4)))


def doctor() -> None:
    """Check what this machine is, what will run here, what will not, and why."""
    from rich.text import Text

    from firstpacket.bench.doctor import diagnose

    shown = console(stderr=False)
    for finding in diagnose():
        shown.print(Text(f"{finding.verdict:<8}{finding.subject}: {finding.text}"), soft_wrap=True)


def calibrate(
    turns: Annotated[int, typer.Option(min=12, max=100_000, help="Total turns; a p99 needs 662.")] = 1002,
    limit_median_ms: Annotated[float, typer.Option(min=0, help="Largest acceptable median error.")] = 0.5,
    limit_p99_ms: Annotated[float, typer.Option(min=0, help="Largest acceptable p99 of the errors.")] = 5.0,
    busy: Annotated[
        bool, typer.Option("--busy", help="Keep every core busy meanwhile, as other work would; nothing is saved.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the harness's own error with a scripted pipeline, and save it for later runs."""
    from contextlib import nullcontext

    from firstpacket.bench import calibration
    from firstpacket.bench.calibrate.busy_cores import busy_cores
    from firstpacket.bench.calibrate.measure import measure
    from firstpacket.bench.calibrate.tables import calibration_json, calibration_table, instrument_cost
    from firstpacket.bench.calibrate.verdict import P99_TURNS, Limits, finding, reported_separately
    from firstpacket.bench.environment import cpu_name
    from firstpacket.bench.run.worker_environment import worker_environment

    with progress(console()) as shows, busy_cores() if busy else nullcontext():
        measured = measure(turns, worker_environment(1), shows)
    limits = Limits(limit_median_ms, limit_p99_ms)
    found = finding(measured, limits)
    broken = limits.broken(found.deviations)
    if json:
        from firstpacket.bench.contract import text

        typer.echo(text(calibration_json(found, reported_separately(measured), broken)), nl=False)
    else:
        print_tables(calibration_table(found, reported_separately(measured)))
        say(instrument_cost(found), stderr=False)
    if busy:
        say("note: not saved: every core was kept busy on purpose")
    elif turns < P99_TURNS:
        say(f"note: not saved: fewer than {P99_TURNS} turns cannot show rare large errors")
    else:
        say(f"saved:  {calibration.keep(found, cpu_name())}")
    if broken and busy:
        raise BenchError(
            f"Errors exceed their limits: {'; '.join(broken)}. Measure on a machine without other work, or ignore "
            "differences smaller than these errors."
        )
    if broken:
        raise BenchError(
            f"Errors exceed their limits: {'; '.join(broken)}. Other work is running on this machine, or it is "
            "a virtual machine on a shared host: check the load with `bench doctor`, stop other work, and calibrate "
            "again. If the errors remain, ignore differences smaller than they are, and raise --limit-median-ms and "
            "--limit-p99-ms accordingly."
        )
