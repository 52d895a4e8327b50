"""A fake server of every dialect, from what its maker documents or its source does, not from our tables of dialects.

server = FAKES["azure"].server()      # for realtime_on(...); its clock and delays as for any Server
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support.realtime_server import Server, default_session

BETA = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
}
FLAT: dict[str, Any] = {"renames": BETA, "session": default_session(model="gpt-realtime")}

RATE_LIMITS = {
    "type": "rate_limits.updated",
    "rate_limits": [{"name": "tokens", "limit": 40_000, "remaining": 10_000, "reset_seconds": 30.0}],
}


@dataclass(frozen=True, slots=True)
class Fake:
    """One server's form of the protocol."""

    url: str
    """The address that it must be reached at."""
    key: dict[str, str]
    """The header that has its key."""
    turns: tuple[str, ...]
    endpoint_ms: int
    """When its detector is certain, after the end of speech, if it waits for 500 ms of silence: a resampler delays the
    last of the speech into the next frame of 20 ms."""
    options: dict[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ("transcript", "reply")

    def server(self, **options: Any) -> Server:
        """The server, thinking for 300 ms."""
        return Server(**{**self.options, **options})


BEARER = {"Authorization": "Bearer secret"}
ADDRESS = "wss://voice.example"
FAKES = {
    "openai": Fake(
        f"{ADDRESS}/v1/realtime?model=tiny",
        BEARER,
        ("server_vad", "semantic_vad", "manual"),
        endpoint_ms=520,
        options={"interim": "delta", "extra": (RATE_LIMITS,)},
        texts=("partial", "transcript", "reply"),
    ),
    "azure": Fake(
        f"{ADDRESS}/openai/v1/realtime?model=tiny",
        {"api-key": "secret"},
        ("server_vad", "semantic_vad", "manual"),
        endpoint_ms=520,
    ),
    "xai": Fake(
        f"{ADDRESS}/v1/realtime?model=tiny",
        BEARER,
        ("server_vad", "manual"),
        endpoint_ms=520,
        options={
            "opens_with": ("conversation.created", "session.created"),
            "position": "its clock",
            "interim": "updated",
            "extra": ({"type": "ping"},),
        },
        texts=("partial", "transcript", "reply"),
    ),
    "dashscope": Fake(
        f"{ADDRESS}/api-ws/v1/realtime?model=tiny",
        BEARER,
        ("server_vad", "semantic_vad", "manual"),
        endpoint_ms=500,
        options={**FLAT, "rate": 16_000, "position": "its clock"},
    ),
    "hf": Fake(f"{ADDRESS}/v1/realtime", BEARER, ("server_vad",), endpoint_ms=520, options={"prompt": False}),
    "localai": Fake(
        f"{ADDRESS}/v1/realtime?model=tiny",
        BEARER,
        ("server_vad", "semantic_vad", "manual"),
        endpoint_ms=520,
        options={"position": "its clock", "commit_replies": True},
    ),
    "speaches": Fake(
        f"{ADDRESS}/v1/realtime?model=tiny",
        BEARER,
        ("server_vad",),
        endpoint_ms=520,
        options={
            **FLAT,
            "position": "end of speech",
            "refuses": ("input_audio_format", "output_audio_format", "turn_detection.prefix_padding_ms"),
        },
    ),
    "vllm-omni": Fake(
        f"{ADDRESS}/v1/realtime?duplex=0",
        BEARER,
        ("manual",),
        endpoint_ms=0,
        options={
            "rate": 16_000,
            "output_rate": 22_050,
            "states_rate": True,
            "audio_field": "audio",
            "renames": {"response.output_audio_transcript.delta": "transcription.delta"},
            "with_responses": False,
            "commit_starts": True,
            "confirms": False,
            "transcript": None,
        },
        texts=("reply",),
    ),
    "sglang-omni": Fake(
        f"{ADDRESS}/v1/realtime?model=tiny",
        BEARER,
        ("server_vad", "semantic_vad"),
        endpoint_ms=500,
        options={
            **FLAT,
            "rate": 16_000,
            "renames": {**BETA, "response.output_audio_transcript.delta": "response.text.delta"},
            "position": "end of speech",
            "transcript_last": True,
        },
        texts=("reply",),
    ),
}
