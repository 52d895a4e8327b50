"""Options from the command line and a config file: flags win over the file, the file over defaults.

Nothing downstream sees the command line. A config file is TOML with the flags' names (`turns = 50`,
`keep-audio = true`) and one `[[pipeline]]` table per system: `name`, optionally `label`, and the pipeline's options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstpacket.bench.errors import EmptyValue, UnknownName, UsageError
from firstpacket.bench.options import RENAMED, Options, PipelineChoice, about, check_values, renamed

MOST_OF_A_FILE = 1 << 20
"""Largest config file that is read, in bytes."""


def gather(flags: Mapping[str, Any], config: Path | None, where: str = "command line") -> Options:
    """Options from flags (`None` means not given), the config file, and defaults.

    Raises `UsageError`; for a bad flag, the message names `where` it was given.
    """
    options = Options()
    if config is not None:
        options = _with(options, _from_file(config), str(config))
    given = {key: value for key, value in flags.items() if value not in (None, ())}
    return _checked(_with(options, given, where))


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """A user's TOML file; `what` names it in messages. Raises `UsageError`."""
    import tomllib

    try:
        with path.open("rb") as file:
            raw = file.read(MOST_OF_A_FILE + 1)
        if len(raw) > MOST_OF_A_FILE:
            raise UsageError(f"Cannot read {what} {path}: it is larger than {MOST_OF_A_FILE >> 20} MiB.")
        return tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"Cannot read {what} {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # TOML and Unicode errors are values; so are numbers without end
        raise UsageError(f"{path} is not valid TOML: {error}.") from error


def _from_file(config: Path) -> dict[str, Any]:
    content = read_toml(config, "the config file")
    content.pop("gate", None)  # limits may be in the same file: firstpacket.bench.gate.limits
    tables = content.pop("pipeline", [])
    if "pipelines" in content:
        raise UnknownName("option", "pipelines", ["pipeline"], f"Write [[pipeline]] tables. ({config})")
    values = {key.replace("-", "_"): value for key, value in content.items()}
    if tables:
        values["pipelines"] = tuple(_pipeline_table(table, config) for table in _list_of_tables(tables, config))
    return values


def _list_of_tables(tables: Any, config: Path) -> list[dict[str, Any]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{config}: write each pipeline as a table [[pipeline]] with a name.")
    return tables


def _pipeline_table(table: dict[str, Any], config: Path) -> PipelineChoice:
    options = dict(table)
    name = options.pop("name", None)
    label = options.pop("label", name)
    if not isinstance(name, str) or not isinstance(label, str):
        raise UsageError(f"{config}: every [[pipeline]] needs a name, as text.")
    if not name.strip():
        raise EmptyValue(f"{config}: the name of a [[pipeline]]")
    for key, value in options.items():
        if not isinstance(value, (str, int, float, bool)):
            raise UsageError(f"{config}: option {key} of pipeline '{label}' must be text, a number, true or false.")
    return PipelineChoice(label, name, options)


def _with(options: Options, values: Mapping[str, Any], where: str) -> Options:
    from firstpacket.bench.codec import DecodeError, decode  # not for `bench --help`

    for key in values:
        if key in RENAMED:
            raise renamed(key, where)
        if key not in about():
            raise UnknownName(
                "option", key.replace("_", "-"), (each.replace("_", "-") for each in about()), f"({where})"
            )
    plain = {key: value for key, value in values.items() if key != "pipelines"}
    try:
        decoded = decode(Options, plain, where)
    except DecodeError as error:
        raise UsageError(f"{error}.") from error
    changes: dict[str, Any] = {key: getattr(decoded, key) for key in plain}
    if "pipelines" in values:
        changes["pipelines"] = values["pipelines"]
    return replace(options, **changes)


def _checked(options: Options) -> Options:
    if not options.pipelines:
        raise UsageError("No pipeline given. For example: bench run --pipeline direct --pipeline cascade")
    check_labels([choice.label for choice in options.pipelines])
    check_values(options)
    return options


def check_labels(labels: Sequence[str]) -> None:
    """Raises `UsageError` unless every label can be used, once."""
    from firstpacket.bench.sanitize import LABEL  # not for `bench --help`

    for label in labels:
        if not LABEL.fullmatch(label):
            raise UsageError(
                f"Label '{label}' cannot be used: it must be 1 to 64 letters, digits or . _ + - "
                "and begin with a letter or digit."
            )
        if labels.count(label) > 1:
            raise UsageError(
                f"Label '{label}' is used twice. Use a different one for each system: "
                f"--pipeline a={label} --pipeline b={label},key=value"
            )
