"""The names that figures, notices and exports depend on: flags of turns, marks, kinds of stages and of pipelines, rules
for answers.

Each is defined here once, with its meaning for people; docs/metrics.md lists them, and a test compares it with this
file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

Architecture = Literal["cascade", "direct", "remote", "other"]
"""Of a pipeline: `cascade` transcribes speech and answers the text, `direct` answers the audio itself; `remote` is an
assistant that cannot be looked into, so nobody here knows which of the two it is; `other` is no assistant, such as a
script. The last two are evidence for neither."""

Outcome = Literal[
    "answered",
    "silent",
    "not_heard",
    "split",
    "busy",
    "limited",
    "refused",
    "session_ended",
    "failed",
    "timeout",
    "interrupted",
]
OUTCOMES: dict[Outcome, str] = {
    "answered": "there was a reply, and a part of it was audible",
    "silent": "there was no reply, or none of it was audible",
    "not_heard": "the server replied without having taken in the question, or heard nothing: its speed means nothing",
    "split": "the server took the utterance for more than one turn, and replied to a part of it",
    "busy": "the server had no room for another session",
    "limited": "a limit of the server on requests, tokens or spending was reached",
    "refused": "the server refused the key, the model, or the form of the request",
    "session_ended": "the server ended the session during the turn",
    "failed": "the pipeline raised an error, or its process died",
    "timeout": "there was no packet by the deadline",
    "interrupted": "the run was stopped during the turn",
}
"""How a turn may end. All turns are kept and counted; figures cover those that have them."""
USUAL_OUTCOMES: tuple[Outcome, ...] = ("answered", "silent", "failed", "timeout", "interrupted")


def shown_outcomes(counts: Iterable[Mapping[Outcome, int]]) -> tuple[Outcome, ...]:
    """The outcomes to show in a table of these counts: the usual ones, and those that occurred."""
    occurred = {outcome for each in counts for outcome, n in each.items() if n}
    return tuple(outcome for outcome in OUTCOMES if outcome in USUAL_OUTCOMES or outcome in occurred)


StageKind = Literal["endpoint", "asr", "llm", "tts", "other"]
STAGE_KINDS: dict[StageKind, str] = {
    "endpoint": "detects the end of the user's turn; work that begins after it is the request",
    "asr": "transcribes speech: `asr_final_latency` ends with its last span",
    "llm": "language model: `llm_ttft` begins with the span of its first output, its other metrics with its first span",
    "tts": "synthesises speech",
    "other": "none of these: it has only the metrics that every stage has",
}
"""What stages of a kind do, and which metrics they have besides those that every stage has."""

AnswerRule = Literal["equals", "contains", "choice", "final", "none"]
ANSWER_RULES: dict[AnswerRule, str] = {
    "equals": "the reply is a reference answer, word for word",
    "contains": "the reply contains the words of a reference answer, one directly after another",
    "choice": "the reply names one option, by its letter or by its own words, and no other",
    "final": "the reply's final answer is the answer; without one, the reply names no other of its kind",
    "none": "answers are not judged",
}
"""When a reply is right, given a corpus' answers; `firstpacket.bench.quality.answers` applies them."""

FlagSource = Literal["run", "trace", "host", "gpu"]
"""Where a flag comes from: the manager of the run, the turn's trace, the host's counters, the GPU's counters."""


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

    TRUNCATED = (
        "truncated",
        "run",
        "the reply was cut off after the first packet: by the deadline, or because the process ended",
    )
    LEFT_EARLY = (
        "left_early",
        "run",
        "the turn was ended after its first packet (--leave-after): figures that need the whole reply are missing",
    )
    NOT_WARMED_UP = (
        "not_warmed_up",
        "run",
        "the process was cold: its warm-up failed, or this turn warms it up for the profiler",
    )
    NOT_FIRST_AFTER_IDLE = (
        "not_first_after_idle",
        "run",
        "another system's turn came first after the idle time: the process had been idle, the machine had not",
    )
    FALSE_ENDPOINT = "false_endpoint", "trace", "the end of the user's turn was detected too early"
    NO_SUCH_START = (
        "no_such_start",
        "trace",
        "the event chosen as t0 did not occur, so figures that count from it are missing",
    )
    SESSION_RENEWED = (
        "session_renewed",
        "trace",
        "the connection to the server had ended, and a new one was opened before the turn",
    )
    THOUGHTS_UNCLEAR = (
        "thoughts_unclear",
        "trace",
        "a server's reply did not show where its reasoning ended: reasoning was spoken, or the answer was held back",
    )
    READ_LATE = "read_late", "trace", "messages of the server waited over 5 ms in the client before they were handled"
    LATE_MICROPHONE = "late_microphone", "host", "the user's speech came later than a microphone would deliver it"
    HOST_BUSY = "host_busy", "host", "other processes took over 10 % of the cores"
    STOLEN = "stolen", "host", "the hypervisor gave over 2 % of the CPU time to other machines"
    CPU_THROTTLED = "cpu_throttled", "host", "the container's CPU quota was used up, which paused everything in it"
    PAGED = "paged", "host", "memory had to be read from disk or swap"
    GC_PAUSED = "gc_paused", "host", "Python's garbage collection took over 1 % of the wait for the first packet"
    GPU_THROTTLED = "gpu_throttled", "gpu", "the GPU lowered its clocks because of power or heat"
    GPU_SHARED = "gpu_shared", "gpu", "another process was using the GPU"
    GPU_UNREAD = (
        "gpu_unread",
        "gpu",
        "the GPU's state could not be read (throttling would have gone unnoticed)",
    )


def flags_from(*sources: FlagSource) -> tuple[Flag, ...]:
    """The flags from these sources, in the order of the registry."""
    return tuple(flag for flag in Flag if flag.source in sources)


class KnownMark(StrEnum):
    """Events that metrics are computed from; a pipeline may mark others under its own names."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> KnownMark:
        """A member that is its name, as traces have it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    ENDPOINT = "endpoint", "the pipeline decided that the user had finished: `endpointing_delay`"
    LLM_CONNECTED = "llm.connected", "a new connection to the language model's server was open"
    LLM_FIRST_BYTE = "llm.first_byte", "the first byte of a server's reply arrived: `llm_ttfb`"
    LLM_FIRST_TOKEN = "llm.first_token", "its first token arrived, reasoning and white space included"
    LLM_FIRST_ANSWER_TOKEN = (
        "llm.first_answer_token",
        "the first text of the answer itself arrived, neither reasoning nor white space: `llm_ttfat`",
    )
    LLM_THOUGHTS_UNCLEAR = "llm.thoughts_unclear", "its reasoning could not be told from the answer: `thoughts_unclear`"
    READ_LATE = "read_late", "a message of a server waited over 5 ms before it was handled: `read_late`"
    BLOCK = "speech.block", "a block of the user's speech was complete, and work on it began: `late_blocks`"
    LATE_BLOCK = (
        "speech.late_block",
        "as `speech.block`, but the system was still working on the block before: `late_blocks`",
    )
