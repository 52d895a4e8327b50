"""Every metric by name: from which event to which, on which clock, in which unit.

Names are those of the field where it has one (see docs/metrics.md). Raising `version` says that the definition changed.
Stage metrics exist once per stage that worked: `stage.STAGE.host` and `stage.STAGE.gpu`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ns", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure's definition; `side` says where its events are seen."""

    name: str
    title: str
    start: str
    end: str
    unit: Unit = "ns"
    side: Literal["client", "pipeline", "gpu"] = "client"
    version: int = 1
    smaller_is_better: bool = True


HEADLINE = "first_packet_latency"

TURN_METRICS = (
    Metric(HEADLINE, "first packet", "t0", "first reply audio packet in host memory, of any content"),
    Metric(
        "response_latency", "first audible", "t0", "first audible sample, played gaplessly from the first packet on"
    ),
    Metric("leading_silence", "leading silence", "first packet", "first audible sample, in media time"),
    Metric("gapless_first_audio", "gapless", "t0", "first packet plus the smallest pre-roll that gives no stall"),
    Metric("turn_duration", "whole turn", "t0", "last reply sample played, without pre-roll"),
    Metric("generation_duration", "last packet", "t0", "last reply audio packet"),
    Metric("reply_audio", "reply length", "first reply sample", "last reply sample, in media time"),
    Metric("llm_ttft", "LLM first token", "first llm.prefill begins", "first output of the LLM", side="pipeline"),
    Metric("llm_ttfb", "LLM first byte", "first llm.prefill begins", "first byte of a server's reply", side="pipeline"),
    Metric(
        "llm_ttfat",
        "LLM first answer token",
        "first llm.prefill begins",
        "first token of the answer, reasoning left out",
        side="pipeline",
    ),
    Metric("llm_first_token_latency", "t0 to LLM token", "t0", "first output of the LLM", side="pipeline"),
    Metric("endpointing_delay", "endpoint decided", "t0", "decision that the user has finished", side="pipeline"),
    Metric("asr_first_partial", "first partial", "t0", "first partial transcript with a word in it", side="pipeline"),
    Metric(
        "asr_partial_rewrites",
        "rewritten words",
        "words of partial transcripts that the next one or the transcript changed",
        "divided by the words of the transcript",
        unit="ratio",
        side="pipeline",
    ),
    Metric("asr_final_latency", "final transcript", "t0", "end of the last asr span", side="pipeline"),
    Metric("rtf_e2e", "RTF end to end", "generation_duration", "divided by reply_audio", unit="ratio"),
    Metric(
        "rtf_steady", "RTF steady", "first to last packet", "divided by reply_audio after the first packet", "ratio"
    ),
    Metric("underrun_max", "worst deficit", "player without pre-roll", "largest wait of the player for audio"),
    Metric("stall_total", "total stall", "player without pre-roll", "sum of the player's waits after the first packet"),
    Metric("stall_count", "stalls", "player without pre-roll", "number of the player's waits", unit="count"),
    Metric("packets", "packets", "t0", "number of packets of the reply", unit="count"),
)


def metric(name: str) -> Metric:
    """The definition of a metric by name, stage metrics included. Raises `KeyError` for an unknown name."""
    for known in TURN_METRICS:
        if known.name == name:
            return known
    if name.startswith("stage.") and name.endswith((".host", ".gpu")):
        _, *stage, side = name.split(".")
        stage_id = ".".join(stage)
        if side == "gpu":
            return Metric(
                name, f"{stage_id} (GPU)", "events before the stage's launches", "after them, summed", side="gpu"
            )
        return Metric(name, f"{stage_id} (host)", "stage entered", "stage left, summed over its spans", side="pipeline")
    raise KeyError(name)
