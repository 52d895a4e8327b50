"""Scripts with known delays, overlaps, stalls, silences and negative onsets, and the true figures of each.

The truth comes from the pipeline's own stamps alone, except for t0 of realtime input, which is a point of the
schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firstpacket.bench.calibrate.ground_truth import OwnStamps
from firstpacket.bench.record.schema import InputMode
from firstpacket.bench.timing.clock import NS_PER_MS

PathTruth = dict[tuple[str, str], int]
"""By stage and kind: ns on the path to the first packet; kind `hidden` for work off the path. Missing keys are 0."""


@dataclass(frozen=True, slots=True)
class Case:
    """One script, with when its audio becomes audible, in ns of the clock, and its critical path if it has one."""

    name: str
    script: str
    audible_ns: Callable[[OwnStamps], int]
    path: Callable[[OwnStamps], PathTruth] | None = None
    input: InputMode = "file"


def _first_packet(own: OwnStamps) -> int:
    return own.packets[0].ended_ns


def _serial(own: OwnStamps) -> PathTruth:
    return {
        ("encoder", "host"): own.step("encoder").ns,
        ("", "unattributed"): own.step("rest").ns,
        ("llm.prefill", "host"): own.step("llm.prefill").ns,
        ("vocoder", "host"): own.step("vocoder").ns,
    }


def _overlapped(own: OwnStamps) -> PathTruth:
    thinking = own.step("llm.decode")
    return {
        ("asr", "host"): own.step("asr").ns,
        ("tts", "queued"): own.step("tts").began_ns - own.step("send").ended_ns,
        ("tts", "host"): own.step("tts").ns,
        ("llm.decode", "hidden"): min(thinking.ended_ns, _first_packet(own)) - thinking.began_ns,
    }


def _queued(own: OwnStamps) -> PathTruth:
    return {
        ("asr", "host"): own.step("asr", 0).ns + own.step("asr", 1).ns,
        ("tts", "queued"): own.step("tts", 1).began_ns - own.step("send", 1).ended_ns,
        ("tts", "host"): own.step("tts", 1).ns,
        ("tts", "hidden"): own.step("tts", 0).ns,
    }


def _silent_at_first(own: OwnStamps) -> PathTruth:
    return {("encoder", "host"): own.step("encoder").ns, ("vocoder", "host"): own.step("vocoder", 0).ns}


CASES = (
    Case(
        "serial",
        "hear; encoder 4; rest 3; llm.prefill 6 token; vocoder 4; packet 20; vocoder 32; packet 20; tts 5; packet 60",
        _first_packet,
        _serial,
    ),
    Case(
        "overlapped",
        "hear; asr 5; send; llm.decode 12; send | take; tts 6; packet 20; take; tts 24; packet 60",
        _first_packet,
        _overlapped,
    ),
    Case(
        "queued",
        "hear; asr 4; send; asr 4; send | take; tts 12; take; tts 5; packet 20; tts 35; packet 60",
        _first_packet,
        _queued,
    ),
    Case(
        "silent at first",
        "hear; encoder 5; vocoder 5; silence 40; vocoder 52; silence 10; packet 80",
        lambda own: own.packets[1].ended_ns + 10 * NS_PER_MS,
        _silent_at_first,
    ),
    Case(
        "before the user has finished",
        "hear | rest 20; encoder 6; packet 20; vocoder 50; packet 60",
        _first_packet,
        input="realtime",
    ),
    Case(
        "silent until the user has finished",
        "rest 20; encoder 6; silence 20; hear; vocoder 10; packet 80",
        lambda own: own.packets[1].ended_ns,
        input="realtime",
    ),
)
SPEECH_S: dict[InputMode, float] = {"file": 3.0, "realtime": 0.06}
"""Length of the user's speech. A clip is as long as a question: preparing it could delay its hand-over. What is played
is short; packets that come early are sent 30 ms before its end."""
