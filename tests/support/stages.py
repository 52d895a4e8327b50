"""Stages as pipelines declare them, by the ids that tests use."""

from __future__ import annotations

from firstpacket.bench.pipeline import Role, Stage
from firstpacket.bench.vocabulary import StageKind

KINDS: dict[str, StageKind] = {
    "endpoint": "endpoint",
    "asr": "asr",
    "llm.prefill": "llm",
    "llm.decode": "llm",
    "tts": "tts",
}


def stage(name: str, role: Role) -> Stage:
    """With the kind that the cascade and the direct model declare for a stage of this name."""
    return Stage(name, role, KINDS.get(name, "other"))
