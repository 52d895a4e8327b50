"""What was asked: flags win over a config file, the file over defaults.

Nothing downstream sees the command line. A config file is TOML with the flags' names (`turns = 50`,
`keep-audio = true`) and one `[[pipeline]]` table per label: `name`, optionally `label`, and the pipeline's options.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.text import LABEL

Unit = Literal["share", "ms"]

DTYPES = ("auto", "float32", "float16", "bfloat16")
MOST_OF_A_FILE = 1 << 20
"""Bytes read of a user's file of options."""
BOUNDS = {
    "turns": (1, 100_000),
    "warmup": (0, 10_000),
    "idle": (0.1, 86_400),
    "idle_turns": (1, 1_000),
    "threads": (1, 4096),
    "limit": (1, 1_000_000),
    "seed": (0, 2**31 - 1),
    "deadline": (0.001, 86_400),
    "pre_roll": (0, 60_000),
    "audible_dbfs": (-100, 0),
    "audible_ms": (10, 1000),
    "microphone_limit_ms": (0.01, 1000),
    "trim_to": (0.1, 600),
    "minutes": (0.01, 100_000),
}
"""Least and most; deadline, idle and trim-to in seconds, pre-roll in ms."""
WIDTHS: dict[Unit, tuple[float, float]] = {"share": (0.0001, 1.0), "ms": (0.001, 60_000)}
PASSES, MINUTES = 32, 60.0
"""With `until`, at most so many passes over the corpus, and minutes, unless others are asked for."""


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """One label as it was written: options are not checked yet."""

    label: str
    name: str
    options: dict[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a run is asked with."""

    pipelines: tuple[PipelineChoice, ...] = ()
    corpus: str = "small-world"
    turns: int | None = None
    """Measured turns per label; by default one per utterance of the corpus. With `until` the most of them."""
    until: str | None = None
    """Ask on until the headline's interval reaches no further than this to either side: `2%` or `5ms`."""
    minutes: float | None = None
    """With `until`, the most time."""
    warmup: int | Literal["auto"] = "auto"
    """Warm-up turns per label; `auto`: until its first packets come no faster any more."""
    idle: float | None = None
    """Seconds without a turn, after the measured ones, before each turn of phase `idle`; by default none is asked."""
    idle_turns: int | None = None
    """Turns after idleness per label; 3 if `idle` asks for any."""
    device: str = "auto"
    dtype: str = "auto"
    weights: Literal["demo", "dummy"] | None = None
    """What labels take that do not say otherwise; by default what their pipelines say."""
    seed: int = 0
    out: str | None = None
    input: Literal["file", "realtime"] = "file"
    t0: Literal["speech_end", "last_frame", "endpoint", "request"] = "speech_end"
    """Where the clock starts."""
    pre_roll: float = 0.0
    """Milliseconds that the player waits after the first packet."""
    audible_dbfs: float = -40.0
    """Level (RMS) above which a reply is audible,"""
    audible_ms: int = 50
    """once it has lasted for so many milliseconds: a multiple of the 10 ms in which levels are kept."""
    microphone_limit_ms: float = 5.0
    """How late a frame of the user's speech may come with realtime input."""
    deadline: float = 30.0
    """Seconds from t0 within which the first packet must come."""
    matched: bool = False
    """Make every pipeline that can be matched like the direct one of the run."""
    threads: int | None = None
    keep_audio: bool = True
    limit: int | None = None
    """Use only the first so many utterances."""
    nvtx: bool = False
    """Show stages to Nsight as NVTX ranges."""
    profile_gpu: bool = False
    """After everything that is measured, ask labels on a GPU some turns under the profiler."""
    trim_to: float | None = None
    """Cut longer clips to so many seconds instead of refusing them."""


def parse_pipeline(text: str) -> PipelineChoice:
    """`[LABEL=]NAME[,key=value...]`. Raises `UsageError`."""
    head, *pairs = text.split(",")
    label, equals, name = head.partition("=")
    if not equals:
        name, label = label, label
    options: dict[str, OptionValue] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--pipeline {text}: '{pair}' is not key=value.")
        if key in options:
            raise UsageError(f"--pipeline {text}: option {key} stands twice.")
        options[key.strip()] = value
    return PipelineChoice(label.strip(), name.strip(), options)


def parse_warmup(text: str | None) -> int | str | None:
    """A number of turns, or `auto`. Raises `UsageError`."""
    if text in (None, "auto"):
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--warmup {text}: expected a number of turns, or auto.") from None


def parse_until(text: str) -> tuple[float, Unit]:
    """`2%` or `5ms`. Raises `UsageError`."""
    found = re.fullmatch(r"\s*±?\s*(\d+\.?\d*|\.\d+)\s*(%|ms)\s*", text)
    if found is None:
        raise UsageError(f"--until {text}: expected a share such as 2%, or milliseconds such as 5ms.")
    unit: Unit = "share" if found[2] == "%" else "ms"
    width = float(found[1]) / (100 if unit == "share" else 1)
    least, most = WIDTHS[unit]
    if not least <= width <= most:
        raise UsageError(f"--until {text}: must lie between 0.01 % and 100 %, or 0.001 ms and 60000 ms.")
    return width, unit


def share(value: object, what: str, below: float = 10.0) -> float:
    """`"5%"` or `0.05`; from 1 on only with the sign: `5` would be 500 %. Raises `UsageError`."""
    signed = isinstance(value, str) and value.endswith("%")
    try:
        found = float(str(value).removesuffix("%")) / (100 if signed else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found < (below if signed else min(below, 1.0)):
        raise UsageError(f'{what} {value}: expected a share such as "5%" or 0.05, below {below:.0%}.')
    return found


def gather(flags: Mapping[str, Any], config: Path | None, where: str = "command line") -> Options:
    """Options from flags (`None` means not given), the config file, and defaults.

    Raises `UsageError`, which says that what is wrong with a flag stands in `where`.
    """
    options = Options()
    if config is not None:
        options = _with(options, _from_file(config), str(config))
    given = {key: value for key, value in flags.items() if value not in (None, ())}
    return _checked(_with(options, given, where))


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """A user's TOML file; `what` names it in messages. Raises `UsageError`."""
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
    content.pop("gate", None)  # limits may stand in the same file: firstpacket.bench.gate.limits
    tables = content.pop("pipeline", [])
    if "pipelines" in content:
        raise UnknownName("option", "pipelines", ["pipeline"], f"Write tables [[pipeline]]. ({config})")
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
    for key, value in options.items():
        if not isinstance(value, (str, int, float, bool)):
            raise UsageError(f"{config}: option {key} of pipeline '{label}' must be text, a number, true or false.")
    return PipelineChoice(label, name, options)


def _with(options: Options, values: Mapping[str, Any], where: str) -> Options:
    known = {field.name for field in fields(Options)}
    for key in values:
        if key not in known:
            raise UnknownName("option", key.replace("_", "-"), (name.replace("_", "-") for name in known), f"({where})")
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
        raise UsageError("No pipeline was named. For example: bench run --pipeline direct --pipeline cascade")
    _check_labels([choice.label for choice in options.pipelines])
    if options.dtype not in DTYPES:
        raise UnknownName("dtype", options.dtype, DTYPES)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", options.device):
        raise UsageError(f"--device {options.device}: expected auto, cpu, cuda or cuda:N.")
    for name, (least, most) in BOUNDS.items():
        value = getattr(options, name)
        if value not in (None, "auto") and not least <= value <= most:
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: must lie between {least:g} and {most:g}.")
    if options.idle_turns is not None and options.idle is None:
        raise UsageError("--idle-turns needs --idle, the seconds in which there is to be nothing to do before each.")
    if options.until is not None:
        parse_until(options.until)
    elif options.minutes is not None:
        raise UsageError("--minutes needs --until, which says what is to be reached within them.")
    if options.audible_ms % 10:
        raise UsageError(f"--audible-ms {options.audible_ms}: must be a multiple of 10, in which levels are kept.")
    if options.out is not None and "\0" in options.out:
        raise UsageError("--out: a path cannot hold a zero byte.")
    return options


def _check_labels(labels: Sequence[str]) -> None:
    for label in labels:
        if not LABEL.fullmatch(label):
            raise UsageError(
                f"Label '{label}' cannot be used: it must be 1 to 64 letters, digits or . _ + - "
                "and begin with a letter or digit."
            )
        if labels.count(label) > 1:
            raise UsageError(
                f"Label '{label}' stands twice. Give each its own: --pipeline a={label} --pipeline b={label},key=value"
            )
