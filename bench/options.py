"""The options of a run, each defined once: type, default, help, bounds and checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from firstpacket.bench.errors import EmptyValue, UnknownName, UsageError

Unit = Literal["share", "ms"]
LeaveAfter = Literal["reply", "first_packet"]
"""When a turn ends: after the whole reply, or after its first packet."""

WIDTHS: dict[Unit, tuple[float, float]] = {"share": (0.0001, 1.0), "ms": (0.001, 60_000)}
PASSES, MINUTES = 32, 60.0
"""Defaults with `precision`: at most this many passes over the corpus, and this many minutes."""
IDLE_TURNS = 3
"""Default of `idle_turns`, per system."""
MAX_TURNS = 200
"""Default of `max_turns` where a server is not on this machine: it may cost money, or belong to others."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Two runs can be compared only if an option is the same in both."""

    name: str
    """As `--allow` takes it; several options may share one."""
    why: str
    """What the rule requires, in words."""
    differs: str
    """The message where it is broken."""
    between_labels: bool = True
    """Whether it also applies between different systems, or only to one system over time."""


@dataclass(frozen=True, slots=True)
class About:
    """Metadata of an option, attached to its field in `Options`: everything but its type and default."""

    help: str
    between: tuple[float, float] | None = None
    """Minimum and maximum."""
    choices: tuple[str, ...] = ()
    shown: str = ""
    """The default as help shows it, where the field's own value would not explain it."""
    metavar: str = ""
    flags: tuple[str, ...] = ()
    """Its flags, where they do not follow from the field's name."""
    parse: Callable[[str], Any] | None = None
    """Parses the text given on the command line. Raises `UsageError`."""
    check: Callable[[Any], object] | None = None
    """Further validation, after bounds and choices. Raises `UsageError`."""
    needs: tuple[str, str] | None = None
    """Another option that it requires, and why, for the error message."""
    gate: bool = False
    """Whether `bench gate` takes it as well."""
    test: bool = True
    """Whether the pytest fixtures take it."""
    rule: Rule | None = None
    on_resume: bool = False
    """Whether a run that is resumed may be given another value."""


RENAMED = {"until": "precision", "minutes": "max_minutes"}
"""Options of earlier versions, with their present names."""


def renamed(old: str, where: str) -> UsageError:
    """The error for an option's earlier name."""
    return UsageError(f"{where}: the option {old.replace('_', '-')} is now called {flag(RENAMED[old])}.")


T0_RULE = Rule("t0", "the clock starts at the same moment", "their clocks start at different moments")
INPUT_RULE = Rule("input", "speech is delivered in the same way", "speech was delivered in different ways")
AUDIBLE_RULE = Rule("audible", "the same threshold for an audible reply", "thresholds for an audible reply differ")
CHANNEL_RULE = Rule("channel", "the same channel of every recording", "channels of the recordings differ")
TRIM_RULE = Rule("trim", "clips are trimmed to the same length", "clips were trimmed to different lengths")
THREADS_RULE = Rule(
    "threads", "the same number of threads per worker", "threads per worker differ", between_labels=False
)
PIN_RULE = Rule("pin", "workers pinned to the same CPUs", "CPUs of the workers differ", between_labels=False)
PACE_RULE = Rule("pace", "the same pause between turns", "pauses between turns differ")
LEAVE_RULE = Rule("leave_after", "turns end at the same point", "turns ended at different points")
NVTX_RULE = Rule("nvtx", "NVTX ranges in both runs or in neither", "NVTX ranges differ", between_labels=False)


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """One system as the user wrote it; its options are not checked yet."""

    label: str
    name: str
    options: dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Options:
    """All options of a run.

    The command line, config files, pytest fixtures, comparison rules and docs/options.md are derived from these fields.
    """

    pipelines: Annotated[
        tuple[PipelineChoice, ...],
        About(
            "Pipeline to measure; repeat to compare several.",
            flags=("--pipeline", "-p"),
            metavar="[LABEL=]NAME[,KEY=VALUE...]",
            parse=parse_pipeline,
            gate=True,
            test=False,
        ),
    ] = ()
    corpus: Annotated[str, About("Name, folder, manifest, list of another tool or sound file.", gate=True)] = (
        "small-world"
    )
    turns: Annotated[
        int | None,
        About("Measured turns per system; with --precision, the maximum.", (1, 100_000), shown="one per utterance"),
    ] = None
    precision: Annotated[
        str | None,
        About("Stop when the headline's 95 % interval is within this: 2% or 5ms.", check=parse_precision),
    ] = None
    max_minutes: Annotated[
        float | None,
        About(
            "Time limit for --precision, in minutes.",
            (0.01, 100_000),
            shown=f"{MINUTES:g}",
            needs=("precision", "the precision to reach within that time"),
        ),
    ] = None
    warmup: Annotated[
        int | Literal["auto"],
        About("Warm-up turns per system; auto: until latency is stable.", (0, 10_000), parse=parse_warmup, gate=True),
    ] = "auto"
    idle: Annotated[float | None, About("Also measure turns after this many idle seconds.", (0.1, 86_400))] = None
    idle_turns: Annotated[
        int | None,
        About(
            "Turns after idling, per system.",
            (1, 1_000),
            shown=f"{IDLE_TURNS}",
            needs=("idle", "the idle time in seconds before each of them"),
        ),
    ] = None
    device: Annotated[str, About("auto, cpu, cuda or cuda:N.", check=check_device, gate=True)] = "auto"
    dtype: Annotated[
        str,
        About("auto, float32, float16 or bfloat16.", choices=("auto", "float32", "float16", "bfloat16"), gate=True),
    ] = "auto"
    weights: Annotated[
        Literal["demo", "dummy"] | None,
        About("Default weights, demo or dummy; a pipeline can override them.", shown="demo", gate=True),
    ] = None
    seed: Annotated[int, About("Random seed for turn order and dummy weights.", (0, 2**31 - 1), gate=True)] = 0
    out: Annotated[
        str | None, About("Run folder to create.", shown="reports/DATE-LABELS", check=check_out, test=False)
    ] = None
    input: Annotated[
        Literal["file", "realtime"],
        About("file: the whole clip at one instant; realtime: paced as spoken.", gate=True, rule=INPUT_RULE),
    ] = "file"
    t0: Annotated[
        Literal["speech_end", "last_frame", "endpoint", "request"],
        About("Start of the clock: speech_end, last_frame, endpoint or request.", gate=True, rule=T0_RULE),
    ] = "speech_end"
    pre_roll: Annotated[float, About("Playback buffer, ms.", (0, 60_000))] = 0.0
    audible_dbfs: Annotated[
        float, About("Level above which a reply counts as audible, dBFS.", (-100, 0), rule=AUDIBLE_RULE)
    ] = -40.0
    audible_ms: Annotated[
        int,
        About(
            "How long it must stay above that level, ms (a multiple of 10).",
            (10, 1000),
            check=check_audible_ms,
            rule=AUDIBLE_RULE,
        ),
    ] = 50
    microphone_limit_ms: Annotated[float, About("Maximum lateness of realtime input frames, ms.", (0.01, 1000))] = 5.0
    deadline: Annotated[
        float, About("Time limit for the first packet, seconds after t0.", (0.001, 86_400), gate=True)
    ] = 30.0
    leave_after: Annotated[
        LeaveAfter,
        About(
            "When a turn ends: after the whole reply, or after its first_packet (figures that need the whole reply are "
            "then missing, and no audio is kept).",
            rule=LEAVE_RULE,
        ),
    ] = "reply"
    matched: Annotated[bool, About("Give cascades the LLM, reply length and encoder of direct.", gate=True)] = False
    threads: Annotated[
        int | None,
        About(
            "CPU threads per worker.", (1, 4096), shown="usable cores, or those of --pin", gate=True, rule=THREADS_RULE
        ),
    ] = None
    pin: Annotated[
        str | None,
        About(
            "CPUs on which all workers run, such as 1 or 0,2 or 4-7 (Linux).", check=parse_pin, gate=True, rule=PIN_RULE
        ),
    ] = None
    pace_ms: Annotated[
        float,
        About(
            "Pause between turns, ms: time for a CPU quota or a hot processor to recover.",
            (0, 60_000),
            gate=True,
            rule=PACE_RULE,
        ),
    ] = 0.0
    max_turns: Annotated[
        int | None,
        About(
            "End the run before systems that use servers have had more turns than this, warm-up included.",
            (1, 1_000_000),
            shown=f"{MAX_TURNS} if a server is not on this machine",
            gate=True,
            on_resume=True,
        ),
    ] = None
    max_audio_minutes: Annotated[
        float | None,
        About(
            "End the run before more minutes of audio than this go to and come from these systems.",
            (0.01, 1_000_000),
            gate=True,
            on_resume=True,
        ),
    ] = None
    max_turns_per_minute: Annotated[
        float | None,
        About(
            "Start at most this many turns of these systems per minute, evenly spaced.",
            (0.1, 60_000),
            gate=True,
            rule=PACE_RULE,
            on_resume=True,
        ),
    ] = None
    keep_audio: Annotated[bool, About("Keep the audio of replies.", shown="keep", test=False)] = True
    limit: Annotated[int | None, About("Use only the first N utterances.", (1, 1_000_000), gate=True)] = None
    nvtx: Annotated[bool, About("Mark stages as NVTX ranges for Nsight.", rule=NVTX_RULE)] = False
    profile_gpu: Annotated[bool, About("After the measured turns, profile how busy each stage keeps the GPU.")] = False
    channel: Annotated[
        Literal["mix", "left", "right"],
        About("Of recordings with several channels: mix, left or right.", gate=True, rule=CHANNEL_RULE),
    ] = "mix"
    trim_to: Annotated[float | None, About("Trim longer clips to this many seconds.", (0.1, 600), rule=TRIM_RULE)] = (
        None
    )


@cache
def about() -> dict[str, About]:
    """The metadata of each field, by name, in order."""
    return {name: hint.__metadata__[0] for name, hint in _hints().items()}


@cache
def kinds() -> dict[str, Any]:
    """The type of each field."""
    return {name: hint.__origin__ for name, hint in _hints().items()}


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Options, include_extras=True)


@cache
def rules() -> dict[str, Rule]:
    """Comparison rules by option, for the options that have one."""
    return {name: known.rule for name, known in about().items() if known.rule is not None}


def flag(name: str) -> str:
    """An option as written on the command line: `--idle-turns`."""
    flags = about()[name].flags
    return flags[0] if flags else f"--{name.replace('_', '-')}"


def bounds(name: str) -> tuple[float, float]:
    """Minimum and maximum of an option that has bounds."""
    found = about()[name].between
    assert found is not None, name
    return found


def parse_pipeline(text: str) -> PipelineChoice:
    """`[LABEL=]NAME[,key=value...]`. Raises `UsageError`."""
    head, *pairs = text.split(",")
    label, equals, name = head.partition("=")
    if not equals:
        name, label = label, label
    if not name.strip():
        raise EmptyValue(f"--pipeline {text}".rstrip())
    options: dict[str, str | int | float | bool] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--pipeline {text}: '{pair}' is not key=value.")
        if not value.strip():
            raise EmptyValue(f"--pipeline {text}: {key}")
        if key in options:
            raise UsageError(f"--pipeline {text}: option {key} is given twice.")
        options[key.strip()] = value
    return PipelineChoice(label.strip(), name.strip(), options)


def parse_warmup(text: str) -> int | str:
    """A number of turns, or `auto`. Raises `UsageError`."""
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--warmup {text}: expected a number of turns, or auto.") from None


def parse_precision(text: str) -> tuple[float, Unit]:
    """`2%` or `5ms`. Raises `UsageError`."""
    found = re.fullmatch(r"\s*±?\s*(\d+\.?\d*|\.\d+)\s*(%|ms)\s*", text)
    if found is None:
        raise UsageError(f"--precision {text}: expected a share such as 2%, or milliseconds such as 5ms.")
    unit: Unit = "share" if found[2] == "%" else "ms"
    width = float(found[1]) / (100 if unit == "share" else 1)
    least, most = WIDTHS[unit]
    if not least <= width <= most:
        raise UsageError(f"--precision {text}: must be between 0.01 % and 100 %, or 0.001 ms and 60000 ms.")
    return width, unit


def parse_pin(text: str) -> frozenset[int]:
    """The numbers of CPUs: `1`, `0,2` or `4-7`, or several of these with commas. Raises `UsageError`."""
    cpus: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise UsageError(f"--pin {text}: expected the numbers of CPUs, such as 1 or 0,2 or 4-7.")
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


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


def check_values(options: Options) -> None:
    """Validate every option by the metadata of its field. Raises `UsageError`."""
    for name, known in about().items():
        value = getattr(options, name)
        if value is not None:
            _check(name, value, known, options)


def _check(name: str, value: Any, known: About, options: Options) -> None:
    """Validate one option. Raises `UsageError`."""
    if isinstance(value, str) and not value.strip():
        raise EmptyValue(flag(name))
    if known.choices and value not in known.choices:
        raise UnknownName(name, value, known.choices)
    if known.between is not None and value != "auto" and not known.between[0] <= value <= known.between[1]:
        least, most = known.between
        raise UsageError(f"{flag(name)} {value:g}: must be between {least:g} and {most:g}.")
    if known.needs is not None and getattr(options, known.needs[0]) is None:
        raise UsageError(f"{flag(name)} needs {flag(known.needs[0])}, {known.needs[1]}.")
    if known.check is not None:
        known.check(value)


def check_device(device: str) -> None:
    """Raises `UsageError` unless this names a device."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device {device}: expected auto, cpu, cuda or cuda:N.")


def check_audible_ms(audible_ms: int) -> None:
    """Raises `UsageError` unless this is a whole number of level windows."""
    if audible_ms % 10:
        raise UsageError(
            f"--audible-ms {audible_ms}: must be a multiple of 10, since levels are measured in windows of 10 ms."
        )


def check_out(out: str) -> None:
    """Raises `UsageError` for a string that cannot be a path."""
    if "\0" in out:
        raise UsageError("--out: a path cannot contain a null byte.")
