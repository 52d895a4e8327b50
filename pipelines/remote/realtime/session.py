"""The session that is requested, in the dialect's form, and what the server did not apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.sanitize import clean
from firstpacket.pipelines.remote.realtime.audio import G711_RATE, Format
from firstpacket.pipelines.remote.realtime.dialect import Dialect, Turns

GA_FORMATS: dict[Format, str] = {"pcm": "audio/pcm", "pcmu": "audio/pcmu", "pcma": "audio/pcma"}
BETA_FORMATS: dict[Format, str] = {"pcm": "pcm16", "pcmu": "g711_ulaw", "pcma": "g711_alaw"}
PREFIX_MS = 300
"""Audio before the start of speech that a server's detector keeps: the default of every server here."""
MAX_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """The session to request; empty texts and zeros leave the choice to the server."""

    turns: Turns = "server_vad"
    format: Format = "pcm"
    silence_ms: int = 500
    threshold: float = 0.5
    eagerness: str = "auto"
    model: str = ""
    voice: str = ""
    instructions: str = ""
    transcription: str = ""
    """Model that also transcribes the user's speech; empty: none."""
    max_tokens: int = 0


def session_update(config: SessionConfig, dialect: Dialect) -> dict[str, Any]:
    """The message that configures the session."""
    if dialect.session == "model":
        return {"type": "session.update", "model": config.model}
    session = _flat(config, dialect) if dialect.session == "flat" else _nested(config, dialect)
    for path in dialect.leaves_out:
        _leave_out(session, path)
    return {"type": "session.update", "session": session}


def _nested(config: SessionConfig, dialect: Dialect) -> dict[str, Any]:
    input: dict[str, Any] = {
        "format": _format(config.format, dialect, dialect.input_rate),
        **_transcription(config, "transcription"),
        "turn_detection": _turn_detection(config),
    }
    output = {"format": _format(config.format, dialect, dialect.output_rate), **_nonempty(voice=config.voice)}
    at_top = {name: part.pop(name) for part in (input, output) for name in dialect.at_top if name in part}
    return {
        "type": "realtime",
        "output_modalities": ["audio"],
        **_nonempty(instructions=config.instructions, max_output_tokens=config.max_tokens),
        **at_top,
        "audio": {"input": input, "output": output},
    }


def _flat(config: SessionConfig, dialect: Dialect) -> dict[str, Any]:
    format = dialect.format_names.get(config.format, BETA_FORMATS[config.format])
    return {
        "modalities": ["text", "audio"],
        **_nonempty(instructions=config.instructions, voice=config.voice, max_response_output_tokens=config.max_tokens),
        "input_audio_format": format,
        "output_audio_format": format,
        **_transcription(config, "input_audio_transcription"),
        "turn_detection": _turn_detection(config),
    }


def _nonempty(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _leave_out(session: dict[str, Any], path: str) -> None:
    first, _, rest = path.partition(".")
    if not rest:
        session.pop(first, None)
    elif isinstance(inner := session.get(first), dict):
        _leave_out(inner, rest)


def _format(format: Format, dialect: Dialect, rate: int) -> dict[str, Any]:
    name = dialect.format_names.get(format, GA_FORMATS[format])
    return {"type": name, **({"rate": rate} if format == "pcm" else {})}


def _transcription(config: SessionConfig, name: str) -> dict[str, Any]:
    return {name: {"model": config.transcription}} if config.transcription else {}


def _turn_detection(config: SessionConfig) -> dict[str, Any] | None:
    """None differs from leaving the field out, which means server_vad to most servers."""
    if config.turns == "manual":
        return None
    replies = {"create_response": True, "interrupt_response": True}
    if config.turns == "semantic_vad":
        return {"type": "semantic_vad", "eagerness": config.eagerness, **replies}
    return {
        "type": "server_vad",
        "threshold": config.threshold,
        "prefix_padding_ms": PREFIX_MS,
        "silence_duration_ms": config.silence_ms,
        **replies,
    }


def output_rate(format: Format, dialect: Dialect) -> int:
    """Hz of the reply."""
    return dialect.output_rate if format == "pcm" else G711_RATE


def not_applied(requested: Mapping[str, Any], effective: Mapping[str, Any]) -> tuple[str, ...]:
    """Where `session.updated` differs from the request: `audio.output.voice: requested alloy, got nova`."""
    differences = list(_differences(requested, effective, ""))
    more = [f"and {len(differences) - MAX_DIFFERENCES} more"] if len(differences) > MAX_DIFFERENCES else []
    return (*differences[:MAX_DIFFERENCES], *more)


def _differences(requested: Mapping[str, Any], effective: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in requested.items():
        place = f"{where}{name}"
        if name not in effective:
            yield f"{place}: requested {_shown(value)}, not confirmed"
        elif isinstance(value, Mapping) and isinstance(effective[name], Mapping):
            yield from _differences(value, effective[name], f"{place}.")
        elif not _alike(value, effective[name]):
            yield f"{place}: requested {_shown(value)}, got {_shown(effective[name])}"


def _alike(requested: Any, actual: Any) -> bool:
    if isinstance(requested, float) and isinstance(actual, (int, float)):
        return abs(requested - actual) < 1e-6  # servers keep it as 32 bits
    if isinstance(requested, list) and isinstance(actual, list):
        return len(requested) == len(actual) and all(each in actual for each in requested)  # modalities in any order
    return bool(requested == actual)


def _shown(value: Any) -> str:
    text = clean(str(value) if value is not None else "null")
    return text if len(text) <= 80 else f"{text[:80]}…"
