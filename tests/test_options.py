"""An option is written once: the command line, the gate, config files, tests and the reference page all have it."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from support.command import here
from typer.testing import CliRunner

from firstpacket.bench.commands.flags import run_options
from firstpacket.bench.commands.gate import gate
from firstpacket.bench.commands.run import run
from firstpacket.bench.config import gather
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.options import Options, about, bounds, flag, kinds, parse_pipeline
from firstpacket.bench.reference import page
from firstpacket.bench.testing.arguments import asked_options

ROOT = Path(__file__).resolve().parents[1]
CHOICE = (parse_pipeline("scripted"),)


def test_every_option_has_a_description() -> None:
    assert list(about()) == [field.name for field in fields(Options)]
    assert all(field.default is not MISSING for field in fields(Options))
    for name, known in about().items():
        assert known.help.endswith("."), name
        assert known.between is None or known.between[0] < known.between[1]


def test_the_reference_page_is_what_the_options_say() -> None:
    said = "python -m firstpacket.bench.reference > docs/options.md"
    assert (ROOT / "docs/options.md").read_text("utf-8") == page(), said


GATES_OWN = {"out", "max_minutes"}
"""Options that a gate has as well, with a meaning of its own."""


@pytest.mark.parametrize("command", ["run", "gate"])
def test_a_command_has_a_flag_for_each_option_that_it_takes(command: str) -> None:
    shown = here(command, "--help").stdout.split()
    for name, known in about().items():
        assert (flag(name) in shown) == (command == "run" or known.gate or name in GATES_OWN), name


@pytest.mark.parametrize("name", [name for name, known in about().items() if known.between])
def test_bounds_are_checked_for_every_source_of_an_option(name: str, tmp_path: Path) -> None:
    least, most = bounds(name)
    kind = int if kinds()[name] in (int, int | None) or name == "warmup" else float
    others = {known: "5%" if known == "precision" else 5.0 for known, _ in [about()[name].needs or ("", "")] if known}
    assert getattr(gather({"pipelines": CHOICE, name: kind(least), **others}, None), name) == least
    for value in (kind(least - 1), kind(most + 1)):
        with pytest.raises(UsageError, match=f"^{flag(name)} .*: must be between"):
            gather({"pipelines": CHOICE, name: value, **others}, None)
        (tmp_path / "run.toml").write_text(f"{name.replace('_', '-')} = {value}\n[[pipeline]]\nname = 'scripted'\n")
        with pytest.raises(UsageError, match="must be between"):
            gather(others, tmp_path / "run.toml")
        if about()[name].test:
            with pytest.raises(UsageError, match="must be between"):
                asked_options(["scripted"], None, {name: value, **others}, ())


@pytest.mark.parametrize("name", [name for name, known in about().items() if known.needs])
def test_an_option_that_needs_another_says_so(name: str) -> None:
    needed, why = about()[name].needs or ("", "")
    with pytest.raises(UsageError, match=f"{flag(name)} needs {flag(needed)}, {why}"):
        gather({"pipelines": CHOICE, name: 5}, None)


def test_pytest_fixtures_accept_the_documented_arguments() -> None:
    assert asked_options(["scripted"], None, {"seed": 3, "input": "realtime"}, ()).seed == 3
    for name in (name for name, known in about().items() if not known.test and name != "out"):
        with pytest.raises(UnknownName, match=f"argument '{name}'"):
            asked_options(["scripted"], None, {name: True}, ())


Given = dict[str, Any]


def given(*arguments: str, gate: bool = False) -> Given:
    """What a command is given by these words."""
    found: list[Given] = []
    command = typer.Typer()

    @command.command()
    @run_options(gate)
    def take(options: Given, own: Annotated[bool, typer.Option("--own")] = False) -> None:
        found.append({**options, "own": own})

    done = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return found[0]


def test_a_command_receives_only_the_flags_that_were_given() -> None:
    assert given() == {"own": False}
    assert given("--own", "--no-keep-audio", "--warmup", "3", "--idle-turns", "2", "--deadline", "1.5") == {
        "own": True, "keep_audio": False, "warmup": 3, "idle_turns": 2, "deadline": 1.5,
    }  # fmt: skip
    assert given("-p", "a=scripted,x=1", "-p", "b")["pipelines"] == (
        parse_pipeline("a=scripted,x=1"),
        parse_pipeline("b"),
    )
    assert given("--warmup", "auto", "--matched", gate=True) == {"own": False, "warmup": "auto", "matched": True}


@pytest.mark.parametrize("words", [["--turns", "many"], ["--warmup", "many"], ["--nvtx=1"], ["--idel", "3"]])
def test_a_malformed_value_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(Exception) as raised:
        given(*words)
    assert getattr(raised.value, "exit_code", None) == 2


def test_a_gate_takes_no_option_that_it_does_not_have() -> None:
    with pytest.raises(Exception, match=r"[Nn]o such option"):
        given("--idle", "3", gate=True)


def test_the_app_has_signatures_of_its_own() -> None:
    """Built, not written: introspection of a command shows its real parameters."""
    for command in (run, gate):
        parameters = inspect.signature(command).parameters
        assert {"pipelines", "seed"} <= parameters.keys() and "given" not in parameters
