"""Every metric by name: from which event to which, on which clock, in which unit.

Names are the standard terms where there are any (see docs/metrics.md). A definition that changes gets a higher
`version`. Stage metrics exist once per stage that ran: `stage.STAGE.host`, `.gpu`, `.busy` and
`.during_speech`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

Unit = Literal["ns", "ratio", "count", "dB", "per_s", "J"]


class Shown(IntEnum):
    """Places that show metrics by default, from the shortest list to the longest: each includes the shorter ones."""

    TERMINAL = 1
    """`bench show`"""
    SUMMARY = 2
    """The page for CI (`bench export --format markdown`)"""
    REPORT = 3
    """The report's first table of figures"""
    COMPARISON = 4
    """`bench compare`"""
    ON_REQUEST = 5
    """The report's folded table, `bench compare --all`"""


@dataclass(frozen=True, slots=True)
class Quality:
    """How a quality metric is pooled over the turns of a system, and how tables of quality show it.

    Every turn that has the metric counts, answered or not. Not for times.
    """

    statistic: Literal["mean", "median"]
    heading: str = ""
    """Of its column; empty: none."""
    unit: Literal["", "share", "rate"] = ""
    """A ratio in per cent, or as the metric's own unit says."""
    bad_above: float | None = None
    """Values above are marked as bad."""
    bad_below: float | None = None

    def is_bad(self, value: float) -> bool:
        """Whether a table marks the value as bad."""
        above = self.bad_above is not None and value > self.bad_above
        return above or (self.bad_below is not None and value < self.bad_below)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's definition, and where and how it is shown; `side` is where its events are observed."""

    name: str
    title: str
    start: str
    end: str
    unit: Unit = "ns"
    side: Literal["client", "pipeline", "gpu", "server"] = "client"
    version: int = 1
    shown: Shown = Shown.ON_REQUEST
    """The first place (in the order of `Shown`) that shows it by default."""
    short: str = ""
    """Its heading where space is short; empty: the title."""
    moment: str = ""
    """What of the answer it times, for sentences: `first packet`. Empty for metrics that time no answer."""
    followed: bool = False
    """Whether it is among the scores that CI services track over time."""
    known_at_first_packet: bool = False
    """Whether nothing after the first packet can change it: a turn that is left there has it, and no other."""
    needs_texts: bool = False
    """Whether it follows from what was said, which a redacted run does not have."""
    quality: Quality | None = None
    """Set for metrics that measure a system's quality when pooled over its turns."""

    @property
    def heading(self) -> str:
        """Its heading where space is short."""
        return self.short or self.title

    @property
    def is_answer(self) -> bool:
        """Whether it times an answer: one that never comes counts as infinitely late."""
        return bool(self.moment)


HEADLINE = "first_packet_latency"
FIRST_AUDIBLE = "response_latency"
"""The first sound that a listener hears."""

TURN_METRICS = (
    Metric(
        HEADLINE,
        "first packet",
        "t0",
        "first reply audio packet in host memory, of any content",
        shown=Shown.TERMINAL,
        moment="first packet",
        followed=True,
        known_at_first_packet=True,
    ),
    Metric(
        FIRST_AUDIBLE,
        "first audible",
        "t0",
        "first audible sample, played gaplessly from the first packet on",
        shown=Shown.TERMINAL,
        short="audible",
        moment="first audible sample",
        followed=True,
    ),
    Metric(
        "gapless_first_audio",
        "gapless",
        "t0",
        "first packet plus the smallest pre-roll that gives no stall",
        shown=Shown.SUMMARY,
        moment="first gapless sample",
        followed=True,
    ),
    Metric(
        "endpointing_delay",
        "endpoint decided",
        "end of speech",
        "decision that the user has finished",
        side="pipeline",
        shown=Shown.REPORT,
        known_at_first_packet=True,
    ),
    Metric(
        "asr_final_latency",
        "final transcript",
        "t0",
        "end of the recogniser's last span",
        side="pipeline",
        shown=Shown.REPORT,
        followed=True,
    ),
    Metric(
        "llm_first_token_latency",
        "t0 to LLM token",
        "t0",
        "first output of the LLM, in turns with a reply text",
        side="pipeline",
        version=2,
        shown=Shown.REPORT,
        followed=True,
        known_at_first_packet=True,
    ),
    Metric(
        "llm_ttft",
        "LLM first token",
        "start of the language model on the last part of its prompt",
        "first output of the LLM, in turns with a reply text",
        side="pipeline",
        version=3,
        shown=Shown.TERMINAL,
        short="LLM token",
        followed=True,
        known_at_first_packet=True,
    ),
    Metric(
        "work_during_speech",
        "work during speech",
        "the user begins to speak",
        "end of speech: time in which any stage worked, without waits",
        side="pipeline",
        shown=Shown.TERMINAL,
        short="during speech",
        known_at_first_packet=True,
    ),
    Metric(
        "generation_duration",
        "last packet",
        "t0",
        "last reply audio packet",
        shown=Shown.COMPARISON,
    ),
    Metric(
        "first_packet_cpu",
        "CPU time to first packet",
        "the pipeline is told that speech is over",
        "first packet, in CPU time of its process (all threads)",
        side="pipeline",
        shown=Shown.COMPARISON,
        known_at_first_packet=True,
    ),
    Metric(
        "reply_audio",
        "reply length",
        "first reply sample",
        "last reply sample, in media time",
        shown=Shown.REPORT,
    ),
    Metric(
        "rtf_e2e",
        "RTF end to end",
        "generation_duration",
        "divided by reply_audio",
        unit="ratio",
        shown=Shown.TERMINAL,
        short="RTF",
    ),
    Metric(
        "transcript_wer",
        "transcript WER",
        "word errors of the transcript against the corpus' text",
        "divided by the words of the corpus' text",
        unit="ratio",
        side="pipeline",
        shown=Shown.COMPARISON,
        needs_texts=True,
    ),
    Metric("leading_silence", "leading silence", "first packet", "first audible sample, in media time"),
    Metric("turn_duration", "turn duration", "t0", "last reply sample played, without pre-roll"),
    Metric(
        "llm_ttfb",
        "LLM first byte",
        "start of the language model",
        "first byte of a server's reply",
        side="pipeline",
        known_at_first_packet=True,
    ),
    Metric(
        "llm_ttfat",
        "LLM first answer token",
        "start of the language model",
        "first text of the answer, reasoning and white space excluded",
        side="pipeline",
        version=2,
        known_at_first_packet=True,
    ),
    Metric(
        "llm_prompt_cached",
        "prompt from cache",
        "tokens of the prompt that the server took from its prefix cache",
        "divided by the prompt's tokens, where the server counts them",
        unit="ratio",
        side="pipeline",
    ),
    Metric(
        "last_frame_delay",
        "last frame delay",
        "end of speech",
        "last frame of speech delivered",
        known_at_first_packet=True,
    ),
    Metric(
        "late_blocks",
        "late blocks",
        "blocks of the user's speech that were complete before the work on the one before was over",
        "divided by all blocks, in systems that take speech in by blocks",
        unit="ratio",
        side="pipeline",
        shown=Shown.REPORT,
        known_at_first_packet=True,
    ),
    Metric("late_frames", "late frames", "time due", "delivery, over the limit for a microphone", unit="count"),
    Metric(
        "request_delay",
        "request delay",
        "end of speech",
        "first work after all speech arrived",
        side="pipeline",
        known_at_first_packet=True,
    ),
    Metric(
        "llm_start",
        "LLM started",
        "end of speech",
        "start of the language model; negative if it begins while the user speaks",
        side="pipeline",
        known_at_first_packet=True,
    ),
    Metric(
        "session_setup",
        "session set-up",
        "a connection to the server is begun, before the user begins to speak",
        "the server is ready for speech",
        known_at_first_packet=True,
    ),
    Metric(
        "round_trip",
        "round trip",
        "ping sent, outside the turn's time",
        "its answer, the fastest around the turn",
        known_at_first_packet=True,
    ),
    Metric(
        "rate_limit_left",
        "rate limit left",
        "what remained of the server's tightest limit on requests or tokens",
        "divided by that limit, if the server states both",
        unit="ratio",
        side="server",
    ),
    Metric(
        "asr_first_partial",
        "first partial",
        "t0",
        "first partial transcript with a word in it",
        side="pipeline",
        known_at_first_packet=True,
    ),
    Metric(
        "asr_partial_rewrites",
        "rewritten words",
        "words of partial transcripts that a later partial or the transcript changed",
        "divided by the words of the transcript",
        unit="ratio",
        side="pipeline",
        needs_texts=True,
    ),
    Metric(
        "transcript_words",
        "reference words",
        "first word of the corpus' text",
        "its last word, in turns with a transcript",
        unit="count",
        needs_texts=True,
    ),
    Metric(
        "answer_accuracy",
        "correct answers",
        "1 if the reply is right by the rule that the corpus names for its answers",
        "0 if not, in turns with a reply text",
        unit="ratio",
        side="pipeline",
        needs_texts=True,
    ),
    Metric(
        "answer_words",
        "reply words",
        "first word of the reply's text",
        "its last word, in turns whose answer was judged",
        unit="count",
        side="pipeline",
        needs_texts=True,
        quality=Quality("median"),
    ),
    Metric(
        "rtf_steady", "RTF steady", "first to last packet", "divided by reply_audio after the first packet", "ratio"
    ),
    Metric(
        "reply_pace",
        "characters per s",
        "letters and digits of the reply's text",
        "divided by the time from the first to the last audible window",
        unit="per_s",
        needs_texts=True,
    ),
    Metric(
        "reply_silence",
        "silent share",
        "10 ms windows of the reply at or below -40 dBFS",
        "divided by all",
        "ratio",
        quality=Quality("mean", "silent", "share", bad_above=0.5),
    ),
    Metric("reply_level", "level", "RMS of the whole reply", "over full scale", unit="dB", quality=Quality("median")),
    Metric(
        "reply_end_level",
        "level at the end",
        "quietest of the reply's last three 10 ms windows",
        "over the RMS of all its windows over -40 dBFS",
        unit="dB",
        version=2,
    ),
    Metric("underrun_max", "worst deficit", "player after its pre-roll", "the player's longest wait for audio"),
    Metric(
        "stall_total", "total stall", "player after its pre-roll", "sum of the player's waits after the first packet"
    ),
    Metric("stall_count", "stalls", "player after its pre-roll", "number of the player's waits", unit="count"),
    Metric("packets", "packets", "t0", "number of packets of the reply", unit="count"),
    Metric(
        "recordings",
        "recordings",
        "t0",
        "number of trace records up to the first packet",
        unit="count",
        known_at_first_packet=True,
    ),
    Metric("gpu_energy", "GPU energy", "reading just before the turn", "reading just after it", unit="J", side="gpu"),
    Metric(
        "gpu_other_processes",
        "other GPU processes",
        "reading just before the turn",
        "reading just after it: the larger number of processes outside the run",
        unit="count",
        side="gpu",
    ),
    Metric(
        "gpu_busy", "GPU busy", "union of all kernels, copies and fills", "in a turn under the profiler", side="gpu"
    ),
    Metric(
        "gpu_busy_unassigned",
        "GPU busy, no stage",
        "union of the work that no stage launched",
        "in a turn under the profiler",
        side="gpu",
    ),
    Metric(
        "gpu_lost_launches",
        "dropped launches",
        "launches by stages that the profiler has no record of",
        "in a turn under the profiler",
        unit="count",
        side="gpu",
    ),
)
"""In the order in which tables show them."""


STAGE_METRICS = {
    "host": Metric("", "", "stage entered", "stage left, summed over its spans", side="pipeline"),
    "gpu": Metric("", "", "events before the stage's launches", "after them, summed", side="gpu"),
    "busy": Metric("", "", "union of its kernels, copies and fills", "in a turn under the profiler", side="gpu"),
    "during_speech": Metric(
        "",
        "",
        "the user begins to speak",
        "end of speech: time in which the stage worked, without waits",
        side="pipeline",
        known_at_first_packet=True,
    ),
}
"""Templates of the metrics that exist once per stage."""
SERVER_METRIC = Metric("", "", "an event that the server chose", "another one, by the server's clock", side="server")
"""Template of the metrics that a server states about its own work: `server.NAME`."""
STAGE_TITLES = {"host": "host", "gpu": "GPU", "busy": "GPU busy", "during_speech": "during speech"}

ATTRIBUTION = {"path": 1, "hidden": 1, "flags": 2, "lateness": 1}
"""Versions of what a turn's line contains besides its metrics: the critical path and its error, hidden work, flags."""


def versions() -> dict[str, int]:
    """The version of every definition by name; `stage.host` covers all stages, `server` all server-reported figures."""
    stages = {f"stage.{side}": template.version for side, template in STAGE_METRICS.items()}
    per_name = stages | {"server": SERVER_METRIC.version}
    return {known.name: known.version for known in TURN_METRICS} | per_name | ATTRIBUTION


def metric(name: str) -> Metric:
    """The definition of a metric by name, stage metrics included. Raises `KeyError` for an unknown name."""
    for known in TURN_METRICS:
        if known.name == name:
            return known
    if name.startswith("server."):
        return replace(SERVER_METRIC, name=name, title=f"{name.removeprefix('server.')} (reported by the server)")
    if name.startswith("stage.") and name.rpartition(".")[2] in STAGE_METRICS:
        _, *stage, side = name.split(".")
        stage_id = ".".join(stage)
        title = f"{stage_id} ({STAGE_TITLES[side]})"
        return replace(STAGE_METRICS[side], name=name, title=title)
    raise KeyError(name)


def shown_in(place: Shown, among: Collection[str]) -> list[Metric]:
    """The metrics `among` these names that a place shows by default, in the order of the definitions."""
    return [known for known in TURN_METRICS if known.shown <= place and known.name in among]
