"""The user's speech → a request for a spoken reply.

OpenAI and most others take `input_audio`, some servers want `audio_url`. A stream of audio is `pcm16` at OpenAI; what a
server refuses is not sent (see `FORMS`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.remote.http.forms import Form
from firstpacket.pipelines.remote.http.sound import wav

INPUTS = ("input_audio", "audio_url")
FORMS: tuple[Form, ...] = (
    {"format": "pcm16", "usage": True},
    {"format": "pcm16", "usage": False},
    {"format": "wav", "usage": False},
)
"""Formats of the reply's audio, and whether token counts are asked for, the best first."""


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What every request has in common."""

    model: str
    voice: str
    instructions: str
    input: str
    max_tokens: int


def request(settings: RequestSettings, form: Form, speech: Samples) -> dict[str, Any]:
    """The request; `speech` is mono, `(n,)`, at 16 kHz."""
    data = base64.b64encode(wav(speech, SAMPLE_RATE)).decode("ascii")
    parts = {"input_audio": {"data": data, "format": "wav"}, "audio_url": {"url": f"data:audio/wav;base64,{data}"}}
    system = [{"role": "system", "content": settings.instructions}] if settings.instructions else []
    return {
        "model": settings.model,
        "messages": [
            *system,
            {"role": "user", "content": [{"type": settings.input, settings.input: parts[settings.input]}]},
        ],
        "modalities": ["text", "audio"],
        "audio": {"voice": settings.voice, "format": form["format"]},
        "stream": True,
        **({"stream_options": {"include_usage": True}} if form["usage"] else {}),
        **({"max_completion_tokens": settings.max_tokens} if settings.max_tokens else {}),
    }
