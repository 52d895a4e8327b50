"""The official SDK's types as judge: what is sent, and what the fake servers say, are messages of the protocol.

The types accept fields that they do not know, so a misspelt optional field passes them: those are looked for as well.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from support.realtime_dialects import ADDRESS, FAKES
from support.realtime_turns import loaded

from firstpacket.pipelines.remote.realtime.dialect import load_dialect
from firstpacket.pipelines.remote.realtime.session import BETA_FORMATS

GENERATION = {
    "openai": "realtime",
    "azure": "realtime",
    "xai": "realtime",
    "hf": "realtime",
    "localai": "realtime",
    "dashscope": "beta.realtime",
    "speaches": "beta.realtime",
    "sglang-omni": "beta.realtime",
}
"""Dialects whose messages are OpenAI's, and in which generation; vLLM-Omni's are its own."""
OWN = {
    "realtime": {"session.id", "session.object"},
    "beta.realtime": {"session.id", "session.object"},
    "xai": {"session.turn_detection", "session.voice"},
}
"""Fields of a generation or a dialect that are sent, and that OpenAI's types do not have."""
OTHERS = {"ping", "conversation.item.input_audio_transcription.updated"}
"""Events of xAI alone."""
EVERY_WAY = [(name, turns) for name in GENERATION for turns in FAKES[name].turns]


Types = dict[str, type[BaseModel]]
"""Of messages, by their name."""


@pytest.fixture(scope="module")
def types() -> dict[tuple[str, str], Types]:
    return {
        (generation, side): {
            get_args(kind.model_fields["type"].annotation)[0]: kind for kind in kinds(generation, side)
        }
        for generation in set(GENERATION.values())
        for side in ("RealtimeClientEvent", "RealtimeServerEvent")
    }


def kinds(generation: str, side: str) -> tuple[type[BaseModel], ...]:
    """The members of the SDK's union."""
    annotated = getattr(importlib.import_module(f"openai.types.{generation}"), side)
    members: tuple[type[BaseModel], ...] = get_args(get_args(annotated)[0])
    return members


def unknown(value: Any, where: str = "") -> Iterator[str]:
    """Fields that the types do not have."""
    if isinstance(value, BaseModel):
        yield from (f"{where}{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{where}{name}.")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from unknown(inner, f"{where}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from unknown(inner, where)


def messages(name: str, turns: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What both sides say in a turn with everything asked for that can be: the client, the server; each type once."""
    server = FAKES[name].server()
    given: dict[str, Any] = {
        "dialect": name,
        "turns": turns,
        "url": ADDRESS,
        "key_env": "VOICE_KEY",
        "model": "tiny",
        "voice": "eve",
        "instructions": "Be brief.",
        "transcription": "whisper",
        "max_tokens": 100,
    }
    assert loaded(server, **given).turn().outcome == "answered"
    heard = {message["type"]: message for peer in server.peers for message in peer.heard}
    said = {event["type"]: event for peer in server.peers for event in peer.said}
    return list(heard.values()), [event for kind, event in said.items() if kind not in OTHERS]


@pytest.mark.parametrize(("name", "turns"), EVERY_WAY)
def test_every_message_of_both_sides(
    name: str, turns: str, types: dict[tuple[str, str], Types], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE_KEY", "secret")
    heard, said = messages(name, turns)
    assert len(heard) >= (3 if turns == "manual" and name != "localai" else 2) and len(said) >= 6
    for side, each in (("RealtimeClientEvent", heard), ("RealtimeServerEvent", said)):
        for message in each:
            judged = types[GENERATION[name], side][message["type"]].model_validate(as_openai_says(message, name))
            assert set(unknown(judged)) <= OWN[GENERATION[name]] | OWN.get(name, set()), message


def as_openai_says(message: dict[str, Any], name: str) -> dict[str, Any]:
    """The message with OpenAI's names of formats in place of the dialect's."""
    names = {own: BETA_FORMATS[format] for format, own in load_dialect(name).format_names.items()}
    session = {
        field: names.get(value, value) if field.endswith("audio_format") else value
        for field, value in message.get("session", {}).items()
    }
    return {**message, "session": session} if session else message


def test_a_misspelt_field_is_found(types: dict[tuple[str, str], Types]) -> None:
    session = {"type": "realtime", "audio": {"input": {"turn_detecton": None}}}
    update = types["realtime", "RealtimeClientEvent"]["session.update"]
    judged = update.model_validate({"type": "session.update", "session": session})
    assert set(unknown(judged)) == {"session.audio.input.turn_detecton"}


def test_a_recorded_server_speaks_what_the_types_say(types: dict[tuple[str, str], Types]) -> None:
    recording = Path(__file__).parents[3] / "real_servers/recordings/hf-speech-to-speech-1.1.0.jsonl"
    for line in map(json.loads, recording.read_text("utf-8").splitlines()):
        side = "RealtimeServerEvent" if line["from"] == "server" else "RealtimeClientEvent"
        place = {"input_audio_buffer.append": "audio", "response.output_audio.delta": "delta"}
        event = {**line["event"], **({place[line["event"]["type"]]: ""} if "audio_bytes" in line else {})}
        judged = types["realtime", side][event["type"]].model_validate(event)
        assert set(unknown(judged)) <= OWN["realtime"], event
