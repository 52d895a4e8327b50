"""What differs between servers that speak OpenAI's Realtime API: a table for each, here or in the user's file.

The protocol code is the same for all; a server that a table cannot describe is not supported.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.errors import UnknownName, UsageError, explained
from firstpacket.bench.paths import documentation
from firstpacket.pipelines.remote.realtime.audio import Format

Turns = Literal["manual", "server_vad", "semantic_vad"]

TABLES = Path(__file__).parent / "dialects.toml"
REFERENCE = "openai"
LARGEST_FILE = 1 << 16

BETA = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
"""Event names of the beta, which OpenAI has switched off and other servers still send."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One server's form of the protocol."""

    name: str
    summary: str
    checked: str
    """How this table was checked: against which server and when, or against documentation only."""
    url: str
    """The server's usual address; empty: it has none."""
    path: str
    """Path of the route, appended to an address that has none."""
    model_parameter: str
    """Parameter of the address that names the model; empty: none."""
    key_header: str
    key_prefix: str
    key_variable: str
    """Environment variable with the key; empty: the server needs none."""
    session: Literal["nested", "flat", "model"]
    """Form of `session.update`: OpenAI's, the beta's flat one, or the model's name alone."""
    formats: tuple[Format, ...]
    input_rate: int
    """Hz of PCM that is sent."""
    output_rate: int
    turns: tuple[Turns, ...]
    """Ways in which the user's turn may end, the server's default first."""
    end_of_turn: tuple[dict[str, Any], ...]
    """Messages that end a manual turn."""
    opens_with: tuple[str, ...]
    """The server's first message, any of these; empty: it sends none."""
    confirms_session: bool
    """Whether it answers `session.update` with `session.updated`."""
    commits: bool
    """Whether it sends `input_audio_buffer.committed`: a reply before that is a reply without the question."""
    endpoint: Literal["audio_end_ms", "receipt"]
    """What tells when the server decided that the user had finished: the position in `speech_stopped`, mapped to the
    moment at which that sample was sent, or the receipt of it, where the position is something else."""
    transcript: Literal["before reply", "unordered", "none"]
    """When the transcript of the user's speech comes, if one was asked for."""
    audio_field: str
    """Where a message has its audio, as base64."""
    minutes: float
    """Longest session, min; 0: no limit is known."""
    names: Literal["ga", "beta"] = "ga"
    renames: dict[str, str] = field(default_factory=dict)
    """Its own names of messages, and OpenAI's current ones."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Further parameters of the address."""
    at_top: tuple[str, ...] = ()
    """Fields that a nested session has at its top: turn_detection, voice."""
    leaves_out: tuple[str, ...] = ()
    """Session fields that the server does not accept, such as `turn_detection.threshold`."""
    format_names: dict[str, str] = field(default_factory=dict)
    """Its own names of formats."""
    start_of_turn: tuple[dict[str, Any], ...] = ()
    """Messages that begin a manual turn."""
    rate_field: str = ""
    """Where an audio message states its sample rate; empty: nowhere."""
    response_ends_with: str = "response.done"
    late_speech_stopped: bool = False
    """Whether `speech_stopped` is delayed until the server is certain, so its receipt is not when it decided."""
    metadata: str = ""
    """Key of `response.metadata` that has the server's own figures, as JSON."""
    figures: dict[str, str] = field(default_factory=dict)
    """Their names there (in seconds), and ours."""

    def canonical(self, name: str) -> str:
        """OpenAI's current name of a server's message."""
        return self.renames.get(name) or (BETA.get(name, name) if self.names == "beta" else name)


@cache
def dialects() -> dict[str, Dialect]:
    """The dialects that come with the project, by name."""
    tables = tomllib.loads(TABLES.read_text("utf-8"))
    return {name: _build(name, {**tables[REFERENCE], **table}) for name, table in tables.items()}


def load_dialect(name: str) -> Dialect:
    """A dialect by name, or from a TOML file. Raises `UsageError`."""
    if name.endswith(".toml"):
        return _from_file(Path(name))
    known = dialects()
    if name not in known:
        raise UnknownName("dialect", name, known, "Or pass a file: dialect=FILE.toml.")
    return known[name]


def _from_file(path: Path) -> Dialect:
    with explained(f"Cannot read the dialect {path}", kind=UsageError), path.open("rb") as file:
        raw = file.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise UsageError(f"{path} is larger than {LARGEST_FILE} bytes, so it is not a dialect file.")
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}. See {documentation('realtime')} for an example.") from error
    base = str(table.pop("base", REFERENCE))
    if base not in dialects():
        raise UnknownName(f"base in {path}", base, dialects())
    known = {_in_file(each.name) for each in fields(Dialect)} - {"name"}
    for name in table.keys() - known:
        raise UnknownName(f"field in {path}", name, known)
    reference = tomllib.loads(TABLES.read_text("utf-8"))
    # Not the base's address: the key of one server must not be sent to another.
    defaults = {"summary": path.name, "checked": "a table of the user's", "url": "", **table}
    try:
        return _build(path.stem, {**reference[REFERENCE], **reference[base], **defaults})
    except DecodeError as error:
        message = str(error)
        for each in fields(Dialect):
            message = message.replace(each.name, _in_file(each.name))
        raise UsageError(
            f"{path} is not a valid dialect: {message}. See {documentation('realtime')} for its fields."
        ) from error


def _in_file(field: str) -> str:
    return field.replace("_", "-")


def _build(name: str, table: Mapping[str, Any]) -> Dialect:
    dialect = decode(Dialect, {"name": name, **{key.replace("-", "_"): value for key, value in table.items()}}, name)
    for each in fields(Dialect):
        value = getattr(dialect, each.name)
        if each.name in ("input_rate", "output_rate") and not 8_000 <= value <= 48_000:
            raise DecodeError(f"{name}.{each.name} is {value} Hz, but it must lie between 8000 and 48000")
    if not dialect.turns or not dialect.formats:
        raise DecodeError(f"{name} needs at least one of turns and of formats")
    for message in (*dialect.start_of_turn, *dialect.end_of_turn):
        if not isinstance(message.get("type"), str):
            raise DecodeError(f"{name} has a message without a type in start-of-turn or end-of-turn")
    return dialect
