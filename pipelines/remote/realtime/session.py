"""The session that is asked for, in the dialect's form, and what a server made of it."""

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
MOST_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """The session that a user asked for; empty texts and zeros leave the choice to the server."""

    turns: Turns = "server_vad"
    format: Format = "pcm"
    silence_ms: int = 500
    threshold: float = 0.5
    eagerness: str = "auto"
    model: str = ""
    voice: str = ""
    instructions: str = ""
    transcription: str = ""
    """Model that transcribes the user's speech beside the reply; empty: none."""
    max_tokens: int = 0


def session_update(wanted: Wanted, dialect: Dialect) -> dict[str, Any]:
    """The message that asks for the session."""
    if dialect.session == "model":
        return {"type": "session.update", "model": wanted.model}
    session = _flat(wanted, dialect) if dialect.session == "flat" else _nested(wanted, dialect)
    for path in dialect.leaves_out:
        _leave_out(session, path)
    return {"type": "session.update", "session": session}


def _nested(wanted: Wanted, dialect: Dialect) -> dict[str, Any]:
    input: dict[str, Any] = {
        "format": _format(wanted.format, dialect, dialect.input_rate),
        **_transcription(wanted, "transcription"),
        "turn_detection": _turn_detection(wanted),
    }
    output = {"format": _format(wanted.format, dialect, dialect.output_rate), **_given(voice=wanted.voice)}
    at_top = {name: part.pop(name) for part in (input, output) for name in dialect.at_top if name in part}
    return {
        "type": "realtime",
        "output_modalities": ["audio"],
        **_given(instructions=wanted.instructions, max_output_tokens=wanted.max_tokens),
        **at_top,
        "audio": {"input": input, "output": output},
    }


def _flat(wanted: Wanted, dialect: Dialect) -> dict[str, Any]:
    format = dialect.format_names.get(wanted.format, BETA_FORMATS[wanted.format])
    return {
        "modalities": ["text", "audio"],
        **_given(instructions=wanted.instructions, voice=wanted.voice, max_response_output_tokens=wanted.max_tokens),
        "input_audio_format": format,
        "output_audio_format": format,
        **_transcription(wanted, "input_audio_transcription"),
        "turn_detection": _turn_detection(wanted),
    }


def _given(**values: Any) -> dict[str, Any]:
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


def _transcription(wanted: Wanted, name: str) -> dict[str, Any]:
    return {name: {"model": wanted.transcription}} if wanted.transcription else {}


def _turn_detection(wanted: Wanted) -> dict[str, Any] | None:
    """None is not the same as leaving it out, which means server_vad to most servers."""
    if wanted.turns == "manual":
        return None
    replies = {"create_response": True, "interrupt_response": True}
    if wanted.turns == "semantic_vad":
        return {"type": "semantic_vad", "eagerness": wanted.eagerness, **replies}
    return {
        "type": "server_vad",
        "threshold": wanted.threshold,
        "prefix_padding_ms": PREFIX_MS,
        "silence_duration_ms": wanted.silence_ms,
        **replies,
    }


def output_rate(format: Format, dialect: Dialect) -> int:
    """Hz of the reply."""
    return dialect.output_rate if format == "pcm" else G711_RATE


def not_applied(asked: Mapping[str, Any], effective: Mapping[str, Any]) -> tuple[str, ...]:
    """What was asked for and is not so, in `session.updated`: `audio.output.voice: asked "alloy", is "nova"`."""
    found = list(_differences(asked, effective, ""))
    more = [f"and {len(found) - MOST_DIFFERENCES} more"] if len(found) > MOST_DIFFERENCES else []
    return (*found[:MOST_DIFFERENCES], *more)


def _differences(asked: Mapping[str, Any], effective: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in asked.items():
        place = f"{where}{name}"
        if name not in effective:
            yield f"{place}: asked {_shown(value)}, is not mentioned"
        elif isinstance(value, Mapping) and isinstance(effective[name], Mapping):
            yield from _differences(value, effective[name], f"{place}.")
        elif not _alike(value, effective[name]):
            yield f"{place}: asked {_shown(value)}, is {_shown(effective[name])}"


def _alike(asked: Any, is_now: Any) -> bool:
    if isinstance(asked, float) and isinstance(is_now, (int, float)):
        return abs(asked - is_now) < 1e-6  # servers keep it as 32 bits
    if isinstance(asked, list) and isinstance(is_now, list):
        return len(asked) == len(is_now) and all(each in is_now for each in asked)  # modalities in any order
    return bool(asked == is_now)


def _shown(value: Any) -> str:
    text = clean(str(value) if value is not None else "null")
    return text if len(text) <= 80 else f"{text[:80]}…"
