"""The names that figures, notices and exports depend on: flags of turns, marks, kinds of stages and of pipelines.

Each stands here once, with what it means for people; docs/metrics.md lists them, and a test holds it to this file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Architecture = Literal["cascade", "direct", "other"]
"""Of a pipeline: `cascade` writes down what it hears and answers the text, `direct` answers the sound; `other` is no
assistant, such as a script, and supports no claim about either."""

StageKind = Literal["endpoint", "asr", "llm", "tts", "other"]
STAGE_KINDS: dict[StageKind, str] = {
    "endpoint": "waits for the end of the user's turn; what begins after it is the request",
    "asr": "writes down what was said: `asr_final_latency` ends with its last span",
    "llm": "the language model: `llm_ttft` and its like begin with its first span",
    "tts": "turns text into sound",
    "other": "of none of these: it has the figures that every stage has",
}
"""What the stages of a kind do, and which figures they have beyond those of every stage."""

FlagSource = Literal["run", "trace", "host", "gpu"]
"""Who sees it: the manager of the run, the turn's own trace, the readings of the machine, those of the GPU."""


class Flag(StrEnum):
    """What a reader of a turn's figures should know; the turn is kept and counted."""

    source: FlagSource
    meaning: str

    def __new__(cls, name: str, source: FlagSource, meaning: str) -> Flag:
        """A member that is its name, as records have it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.source = source
        member.meaning = meaning
        return member

    TRUNCATED = "truncated", "run", "its reply was ended by the deadline, or with its process, after the first packet"
    NOT_WARMED_UP = (
        "not_warmed_up",
        "run",
        "its process was cold: warming it up failed, or this turn warms it up for the profiler",
    )
    NOT_FIRST_AFTER_IDLE = (
        "not_first_after_idle",
        "run",
        "after the idle time another label was asked first: its process had been idle, the machine had not",
    )
    FALSE_ENDPOINT = "false_endpoint", "trace", "the user was taken to have finished too early"
    NO_SUCH_START = (
        "no_such_start",
        "trace",
        "the declared t0 did not happen, and figures that count from it are missing",
    )
    LATE_MICROPHONE = "late_microphone", "host", "the user's speech came later than a microphone would deliver it"
    HOST_BUSY = "host_busy", "host", "other processes took over 10 % of the cores"
    STOLEN = "stolen", "host", "the hypervisor gave over 2 % of the cores' time to others"
    CPU_THROTTLED = "cpu_throttled", "host", "the container's CPU quota was used up, and everything in it was paused"
    PAGED = "paged", "host", "memory had to be fetched from disk or swap"
    GC_PAUSED = "gc_paused", "host", "Python's garbage collection took over 1 % of the wait for the first packet"
    GPU_THROTTLED = "gpu_throttled", "gpu", "the GPU held its clocks back for power or heat"
    GPU_SHARED = "gpu_shared", "gpu", "another process was at work on the GPU"
    GPU_UNREAD = (
        "gpu_unread",
        "gpu",
        "the GPU's state could not be read (throttling would not have been seen)",
    )


def flags_from(*sources: FlagSource) -> tuple[Flag, ...]:
    """The flags that these see, in the order of the registry."""
    return tuple(flag for flag in Flag if flag.source in sources)


class KnownMark(StrEnum):
    """Moments that figures are taken from; a pipeline may mark others under names of its own."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> KnownMark:
        """A member that is its name, as traces have it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    ENDPOINT = "endpoint", "the pipeline decided that the user had finished: `endpointing_delay`"
    LLM_CONNECTED = "llm.connected", "a new connection to the server of the language model was open"
    LLM_FIRST_BYTE = "llm.first_byte", "the first byte of a server's reply came: `llm_ttfb`"
    LLM_FIRST_TOKEN = "llm.first_token", "the first token of it came, reasoning included"
    LLM_FIRST_ANSWER_TOKEN = "llm.first_answer_token", "the first token of the answer itself came: `llm_ttfat`"
