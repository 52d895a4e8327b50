"""The command line: flags → one `Options` value → a call. The only place that prints and exits."""

from __future__ import annotations

import errno
import io
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from firstpacket.bench.commands import baseline
from firstpacket.bench.commands.compare import compare
from firstpacket.bench.commands.console import console as _console
from firstpacket.bench.commands.console import progress as _progress
from firstpacket.bench.commands.export import export, trace
from firstpacket.bench.commands.flags import run_options
from firstpacket.bench.commands.gate import gate
from firstpacket.bench.commands.history import history
from firstpacket.bench.commands.machine import calibrate, doctor, list_
from firstpacket.bench.commands.report import report
from firstpacket.bench.errors import BenchError
from firstpacket.bench.options import RENAMED, flag, renamed
from firstpacket.bench.paths import documentation

if TYPE_CHECKING:
    from rich.console import Console


INTERRUPTED = 130

app = typer.Typer(
    name="bench",
    epilog="Plugins may bring commands of their own, such as `bench corpus build`; `bench list` names them. "
    f"Documents: {documentation('index')}",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        from firstpacket import __version__

        typer.echo(f"firstpacket {__version__}")
        raise typer.Exit


@app.callback()
def _bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Latency benchmarks for voice assistants: cascade against direct, stage by stage, to the first packet."""


@app.command(short_help="Measure pipelines on a corpus.")
@run_options()
def run(
    given: dict[str, Any],
    config: Annotated[Path | None, typer.Option(help="TOML file with these options; flags win.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with a run that was stopped.")] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run folder.")] = True,
) -> None:
    """Put one corpus to one or more pipelines, turn by turn, and measure."""
    from firstpacket.bench.options import gather
    from firstpacket.bench.run import session

    console = _console()
    with _progress(console) as progress:
        if resume is not None:
            _refuse_with_resume(given, config)
            path = session.resume(resume, progress)
        else:
            path = session.start(gather(given, config), ["bench", *sys.argv[1:]], progress)
    _show_end(console, path, report)


@app.command(short_help="Print the table or the JSON of a run.")
def show(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    json: Annotated[bool, typer.Option("--json", help="All figures as JSON; the page json.md describes it.")] = False,
) -> None:
    """Print the table of a run, or all its figures as JSON."""
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.summary.summarise import summarise

    found = read_run(path)
    summary = summarise(found)
    if json:
        from firstpacket.bench.contract import written

        typer.echo(written("summary", summary), nl=False)
    else:
        from firstpacket.bench.report.printed import print_run

        print_run(_console(stderr=False), found, summary)


app.command(short_help="Compare labels, or two runs.")(compare)
app.command("gate", short_help="Fail when answers come later than before.")(gate)
app.add_typer(baseline.app, name="baseline", short_help="Keep runs to hold later ones against.")


app.command(short_help="Write a report: HTML, Markdown or JSON.")(report)
app.command(short_help="Write a run for spreadsheets, pandas and CI services.")(export)
app.command(short_help="Show many runs over time, and what changed.")(history)


@app.command(short_help="Derive a run's figures again from its traces.")
def recompute(path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Derive every figure of a run again from its raw traces, and say what is not equal, bit for bit."""
    from firstpacket.bench.errors import CheckFailed
    from firstpacket.bench.recompute import lines
    from firstpacket.bench.recompute import recompute as derive
    from firstpacket.bench.record.store import read_run

    found = derive(read_run(path))
    for line in lines(found):
        typer.echo(line)
    if not found.equal:
        raise CheckFailed(f"{path} is not what its traces say; the differences stand above.")


app.command(short_help="Write a turn as a trace for Perfetto or OpenTelemetry.")(trace)
app.command("list", short_help="List pipelines, engines and corpora.")(list_)
app.command(short_help="Say what will run on this machine.")(doctor)
app.command(short_help="Say how far the figures may be off on this machine.")(calibrate)


def main() -> None:
    """Entry point of the console script. Prints the message of a `BenchError` and exits with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name or a terminal may not be UTF-8
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _refuse_earlier_names(sys.argv[1:])
        _mount_plugin_command(sys.argv[1:])
        code = app(standalone_mode=False)
    except BenchError as error:
        _exit(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _exit(f"Cannot write the output: {error.strerror}.", 3)
    except Exception as error:
        # Usage errors of the command-line library, which newer versions of Typer bring themselves.
        show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if show is None or code is None:
            raise
        show()
    if code == INTERRUPTED:
        _exit("Stopped.", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _mount_plugin_command(words: list[str]) -> None:
    """Mount a command that a plugin brings (`bench corpus`); plugins are looked for only when one is called."""
    built_in = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    built_in |= {group.name for group in app.registered_groups if group.name}
    if not words or words[0].startswith("-") or words[0] in built_in:
        return
    from firstpacket.bench import plugins

    if words[0] in plugins.names("commands"):
        app.add_typer(plugins.engine("commands", words[0]), name=words[0])


def _refuse_earlier_names(words: list[str]) -> None:
    """Raises `UsageError` that names the new flag for one that was renamed."""
    for word in words:
        if (old := word.partition("=")[0].removeprefix("--")) in RENAMED and word.startswith("--"):
            raise renamed(old, "command line")


def _refuse_with_resume(given: dict[str, Any], config: Path | None) -> None:
    """A resumed run goes on with its own options. Raises `UsageError` if others are given."""
    named = [*map(flag, given), *(["--config"] if config is not None else [])]
    if named:
        from firstpacket.bench.errors import UsageError

        raise UsageError(f"--resume goes on with the run's own options; leave out {', '.join(named)}.")


def _exit(message: str, code: int) -> NoReturn:
    typer.echo(f"bench: {message}", err=True)
    sys.exit(code)


def _show_end(console: Console, path: Path, report: bool) -> None:
    from firstpacket.bench.compare.comparable import require_valid
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.report.printed import print_run
    from firstpacket.bench.summary.summarise import summarise

    found = read_run(path)
    summary = summarise(found)
    print_run(_console(stderr=False), found, summary)
    console.print(f"run:    {path}", markup=False, soft_wrap=True)
    if report:
        from firstpacket.bench.report.html import write_report

        console.print(f"report: {write_report([found], path / 'report.html')}", markup=False, soft_wrap=True)
    answered = {turn.label for turn in found.turns if turn.is_answered}
    silent = [plan.label for plan in found.manifest.labels if plan.label not in answered]
    if silent:
        raise BenchError(f"No turn of {', '.join(silent)} was answered; the reasons stand above and in {path}.")
    require_valid(found)
