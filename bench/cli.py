"""The command line: its table of contents, and the only place that prints errors and exits.

A command is imported and built when it is called; the others need only a name and a line of help.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import faulthandler
import io
import json
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any, NoReturn

import typer

from firstpacket.bench.errors import BenchError, EmptyValue
from firstpacket.bench.paths import documentation, name_as_text
from firstpacket.bench.sanitize import clean

INTERRUPTED = 130
COMMANDS = {
    "run": ("run:run", "Measure pipelines on a corpus."),
    "show": ("show:show", "Print the table or the JSON of a run."),
    "compare": ("compare:compare", "Compare the systems of one run, or two runs."),
    "gate": ("gate:gate", "Fail if latency got worse."),
    "report": ("report:report", "Write a report: HTML, Markdown or JSON."),
    "export": ("export:export", "Export a run for spreadsheets, pandas and CI services."),
    "history": ("history:history", "Show runs over time, and where latency changed."),
    "recompute": ("show:recompute", "Recompute a run's figures from its traces."),
    "redact": ("redact:redact", "Copy a run without its texts and audio."),
    "trace": ("export:trace", "Export a turn as a trace for Perfetto or OpenTelemetry."),
    "list": ("machine:list_", "List pipelines, engines and corpora."),
    "doctor": ("machine:doctor", "Check what will run on this machine."),
    "calibrate": ("machine:calibrate", "Measure the harness's own error on this machine."),
    "baseline": ("baseline:app", "Save runs as baselines for later ones."),
}
"""By name: where the command is in `commands/`, and its line in `bench --help`."""
OWN_PLUGINS = {
    "corpus": "Build corpora of synthetic speech, import data sets, and check corpora.",
    "evaluate": "Score the answers to questions with known answers.",
    "quality": "Score the audio of a run's replies.",
    "roofline": "Compare the measured first packet with the machine's lower bound.",
    "train": "Train both architectures from a corpus of questions and answers.",
    "weights": "Pack trained weights, and export them in the published layouts.",
}
"""The plugins' commands in this distribution. Help has them from here: finding them would take as long as all else."""


def application(words: Sequence[str]) -> typer.Typer:
    """The application for a command line: only the command that `words` name is built. Raises `BenchError`."""
    app = typer.Typer(
        name="bench",
        epilog=f"Documents: {documentation('index')}. Commands of other packages: bench list.",
        no_args_is_help=True,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_bench)
    called = words[0] if words else ""
    for name, (place, line) in COMMANDS.items():
        found = _imported(place) if name == called else _not_called
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, short_help=line)
        else:
            app.command(name, short_help=line)(found)
    if not called or called.startswith("-"):
        for name, line in OWN_PLUGINS.items():
            app.command(name, short_help=line)(_not_called)
    elif called not in COMMANDS:
        _add_plugin_commands(app, called)
    return app


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"firstpacket.bench.commands.{module}"), name)


def _not_called() -> None:
    """Placeholder for commands that are not called."""


def _print_version(asked: bool) -> None:
    if asked:
        from firstpacket import __version__

        typer.echo(f"firstpacket {__version__}")
        raise typer.Exit


def _bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Latency benchmarks for voice assistants: cascade against direct, stage by stage, to the first packet."""


def _add_plugin_commands(app: typer.Typer, called: str) -> None:
    """Add the plugins' commands (`bench corpus`); a plugin is imported only when its command is called."""
    from firstpacket.bench import plugins

    for name in plugins.names("commands"):
        line = plugins.summary("commands", name)
        if name == called:
            app.add_typer(plugins.engine("commands", name), name=name, short_help=line)
        else:
            app.command(name, short_help=line)(_not_called)


def main() -> None:
    """Entry point of the console script. Prints the message of a `BenchError` and exits with its code."""
    codecs.register_error("json-escape", _json_escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json-escape")  # a name or a terminal may not be UTF-8
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # no standard error to write to
        faulthandler.enable()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _refuse_empty_values(sys.argv[1:])
        _refuse_earlier_names(sys.argv[1:])
        code = application(sys.argv[1:])(standalone_mode=False)
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


def _refuse_empty_values(words: Sequence[str]) -> None:
    """Raises `EmptyValue` for `--option ''`, `--option=` and an empty argument, which no command has a use for."""
    for before, word in pairwise(("", *words)):
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals and not value.strip():
            raise EmptyValue(option)
        if not word.strip():
            raise EmptyValue(before if before.startswith("-") else f"the argument after '{before or 'bench'}'")


def _refuse_earlier_names(words: Sequence[str]) -> None:
    """Raises `UsageError` that names the new flag for one that was renamed."""
    if words[:1] not in (["run"], ["gate"]):
        return
    from firstpacket.bench.options import RENAMED, renamed

    for word in words:
        old = word.partition("=")[0].removeprefix("--")
        if word.startswith("--") and old in RENAMED:
            raise renamed(old, "command line")


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    """What a terminal or a pipe cannot take, as in JSON, which `--json` then still is."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _exit(message: str, code: int) -> NoReturn:
    typer.echo(f"bench: {clean(name_as_text(message))}", err=True)
    sys.exit(code)
