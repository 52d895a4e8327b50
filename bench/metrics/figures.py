"""Computes a turn's figures, path and flags from its evidence: everything in its line of `turns.jsonl`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile

from firstpacket.bench.metrics.audible_onset import Audible, audible_onset_ns
from firstpacket.bench.metrics.critical_path import Part, critical_path, hidden, summed
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, metric
from firstpacket.bench.metrics.during_speech import during_speech
from firstpacket.bench.metrics.gpu_figures import gpu_figures, gpu_flags
from firstpacket.bench.metrics.host_flags import host_flags
from firstpacket.bench.metrics.late_blocks import late_blocks
from firstpacket.bench.metrics.late_microphone import histogram, late_frames
from firstpacket.bench.metrics.player import media_ns, play
from firstpacket.bench.metrics.quality_figures import Reference, answer_figures, reply_figures, transcript_figures
from firstpacket.bench.metrics.rate_limits import lowest_left
from firstpacket.bench.metrics.t0 import all_starts, start_flags, start_ns
from firstpacket.bench.record.schema import Evidence, PathPart
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.vocabulary import Flag, KnownMark, Outcome, flags_from

FLAGS = flags_from("trace", "host", "gpu")
"""All flags that are derived from a turn's evidence; a turn may have others, which say how it was run."""

MARKED = {KnownMark.LLM_THOUGHTS_UNCLEAR: Flag.THOUGHTS_UNCLEAR, KnownMark.READ_LATE: Flag.READ_LATE}
"""Flags that a mark of the pipeline says."""


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """The results of one turn."""

    figures: dict[str, int | float]
    path: tuple[PathPart, ...]
    path_error_ns: int
    hidden: dict[str, int]
    flags: tuple[Flag, ...]
    """Those of `FLAGS` that apply."""
    lateness: tuple[int, ...] = ()
    """Frames of the user's speech by lateness, one count per bucket."""


def turn_figures(evidence: Evidence, reference: Reference | None = None) -> TurnFigures:
    """All figures of a turn, without those whose events did not happen. Pure: the same evidence gives the same figures.

    `reference` has the clip's text and its right answers, with which the transcript and the reply are compared.
    """
    t0_ns = start_ns(evidence)
    path = critical_path(evidence.trace, t0_ns)
    figures = {
        **_start_figures(evidence),
        **_packet_figures(evidence, t0_ns),
        **_cpu_figures(evidence),
        **_listening_figures(evidence, t0_ns),
        **_language_figures(evidence, t0_ns),
        **_stage_figures(evidence.trace),
        **during_speech(evidence),
        **_server_figures(evidence.trace),
        **(transcript_figures(evidence.trace, reference.text) if reference is not None else {}),
        **(answer_figures(evidence.trace, reference) if reference is not None else {}),
        **reply_figures(evidence.trace, evidence.reply_levels),
        **gpu_figures(evidence),
        **late_frames(evidence.delivery, evidence.microphone_limit_ns),
        **late_blocks(evidence),
    }
    parts = tuple(PathPart(stage, kind, ns) for (stage, kind), ns in summed(path).items())
    flags = (
        *_end_flags(figures, evidence.outcome),
        *_trace_flags(evidence.trace),
        *start_flags(evidence),
        *host_flags(evidence, t0_ns),
        *gpu_flags(evidence),
    )
    hidden_ns = hidden(evidence.trace, t0_ns, path)
    if Flag.LEFT_EARLY in evidence.flags:
        figures = {name: value for name, value in figures.items() if metric(name).known_at_first_packet}
    return TurnFigures(figures, parts, _path_error_ns(path), hidden_ns, flags, histogram(evidence.delivery))


def _end_flags(figures: Mapping[str, int | float], outcome: Outcome) -> tuple[Flag, ...]:
    """`FALSE_ENDPOINT` if the end of the user's turn was detected too early: while the user spoke, or several times."""
    return (Flag.FALSE_ENDPOINT,) if outcome == "split" or figures.get("endpointing_delay", 0) < 0 else ()


def _trace_flags(trace: TurnTrace) -> tuple[Flag, ...]:
    """`SESSION_RENEWED` if a connection had ended; what pipelines mark: `THOUGHTS_UNCLEAR`, `READ_LATE`."""
    renewed = trace.session is not None and trace.session.renewed
    marks = {mark.name for mark in trace.marks}
    marked = tuple(flag for mark, flag in MARKED.items() if mark in marks)
    return (*((Flag.SESSION_RENEWED,) if renewed else ()), *marked)


def heard_outcome(evidence: Evidence) -> Outcome:
    """The turn's outcome; `silent` if it was answered without one audible sample in the whole reply.

    A reply that was truncated or left keeps its outcome: the missing part may have been audible.
    """
    if evidence.outcome != "answered" or {Flag.TRUNCATED, Flag.LEFT_EARLY} & set(evidence.flags):
        return evidence.outcome
    return "silent" if audible_onset_ns(evidence.reply_levels, Audible.of(evidence.options)) is None else "answered"


def _packet_figures(evidence: Evidence, t0_ns: int) -> dict[str, int | float]:
    packets = evidence.trace.packets
    playback = play(packets)
    if playback is None:
        return {}
    first_ns, last_ns = packets[0].at_ns, packets[-1].at_ns
    figures: dict[str, int | float] = {
        "first_packet_latency": first_ns - t0_ns,
        "gapless_first_audio": first_ns - t0_ns + playback.smallest_pre_roll_ns,
        "turn_duration": playback.ends_ns - t0_ns,
        "generation_duration": last_ns - t0_ns,
        "reply_audio": playback.media_ns,
        "packets": len(packets),
    }
    if first_ns > t0_ns:
        figures["recordings"] = recordings(evidence.trace, t0_ns, first_ns)
    if playback.media_ns:
        figures["rtf_e2e"] = (last_ns - t0_ns) / playback.media_ns
    if len(packets) > 1:
        stalls_ns = _stalls_ns(evidence)
        figures["underrun_max"] = max(stalls_ns, default=0)
        figures["stall_total"] = sum(stalls_ns)
        figures["stall_count"] = len(stalls_ns)
        rest_ns = playback.media_ns - media_ns(packets[0])
        if rest_ns > 0:
            figures["rtf_steady"] = (last_ns - first_ns) / rest_ns
    onset_ns = audible_onset_ns(evidence.reply_levels, Audible.of(evidence.options))
    if onset_ns is not None:
        figures["leading_silence"] = onset_ns
        figures[FIRST_AUDIBLE] = _played_at_ns(evidence.trace, onset_ns) - t0_ns
    return figures


def _cpu_figures(evidence: Evidence) -> dict[str, int | float]:
    cpu = evidence.cpu
    if cpu is None or not evidence.trace.packets or cpu.first_packet_ns < cpu.speech_over_ns:  # answered before that
        return {}
    return {"first_packet_cpu": cpu.first_packet_ns - cpu.speech_over_ns}


def recordings(trace: TurnTrace, from_ns: int, until_ns: int) -> int:
    """The number of times the instrument recorded something in an interval, on all threads.

    A GPU event counts with the host's call that records it.
    """
    return sum(from_ns <= at_ns <= until_ns for at_ns in _recorded_ns(trace))


def _recorded_ns(trace: TurnTrace) -> Iterator[int]:
    for span in trace.spans:
        yield from (span.start_ns, span.end_ns)
        if span.first_output_ns is not None:
            yield span.first_output_ns
        if span.gpu is not None:
            yield from (span.start_ns, span.end_ns)
    for wait in trace.waits:
        yield from (wait.start_ns, wait.end_ns)
    if trace.usage is not None:
        yield trace.usage.at_ns
    for moments in (trace.hand_offs, trace.marks, trace.texts, trace.packets, trace.messages):
        yield from (moment.at_ns for moment in moments)


def _stalls_ns(evidence: Evidence) -> tuple[int, ...]:
    playback = play(evidence.trace.packets, evidence.pre_roll_ns)
    return playback.stalls_ns if playback is not None else ()


def _played_at_ns(trace: TurnTrace, onset_ns: int) -> int:
    """When a player without pre-roll reaches media time `onset_ns`, its stalls included."""
    played_until_ns = trace.packets[0].at_ns
    media_so_far_ns = 0
    for packet in trace.packets:
        played_until_ns = max(played_until_ns, packet.at_ns)
        if onset_ns < media_so_far_ns + media_ns(packet):
            return played_until_ns + onset_ns - media_so_far_ns
        played_until_ns += media_ns(packet)
        media_so_far_ns += media_ns(packet)
    return played_until_ns


def _start_figures(evidence: Evidence) -> dict[str, int | float]:
    """Delays of the other possible starts of the clock after the end of speech."""
    starts = all_starts(evidence)
    figures: dict[str, int | float] = {}
    if "last_frame" in starts:
        figures["last_frame_delay"] = starts["last_frame"] - starts["speech_end"]
    if any(mark.name == KnownMark.ENDPOINT for mark in evidence.trace.marks):
        figures["endpointing_delay"] = starts["endpoint"] - starts["speech_end"]
    if "request" in starts:
        figures["request_delay"] = starts["request"] - starts["speech_end"]
    if thinking := evidence.spans_of("llm"):
        figures["llm_start"] = thinking[0].start_ns - starts["speech_end"]
    return figures


def _listening_figures(evidence: Evidence, t0_ns: int) -> dict[str, int | float]:
    figures: dict[str, int | float] = {}
    trace = evidence.trace
    partials = [text for text in trace.texts if text.kind == "partial" and text.text.split()]
    if partials:
        figures["asr_first_partial"] = partials[0].at_ns - t0_ns
    transcripts = [text.text for text in trace.texts if text.kind == "transcript" and text.text.split()]
    if partials and transcripts:
        texts = [*(text.text for text in partials), transcripts[-1]]
        figures["asr_partial_rewrites"] = _rewritten_words(texts) / len(transcripts[-1].split())
    transcribed = [span.end_ns for span in evidence.spans_of("asr")]
    if transcribed:
        figures["asr_final_latency"] = max(transcribed) - t0_ns
    return figures


def _rewritten_words(texts: list[str]) -> int:
    """Words that the next text changed: the unstable partial words of Shangguan et al. 2020 (arXiv 2006.01416)."""
    words = [text.lower().split() for text in texts]
    return sum(len(before) - _common_words(before, after) for before, after in pairwise(words))


def _common_words(before: list[str], after: list[str]) -> int:
    same = (a == b for a, b in zip(before, after, strict=False))
    return sum(takewhile(bool, same))


def _language_figures(evidence: Evidence, t0_ns: int) -> dict[str, int | float]:
    figures: dict[str, int | float] = {}
    thinking = evidence.spans_of("llm")
    if not thinking:
        return {}
    begins_ns = thinking[0].start_ns
    # A model that listens while the user speaks has spans before this one.
    tokens = [(span.first_output_ns, span.start_ns) for span in thinking if span.first_output_ns is not None]
    replies = [text.text for text in evidence.trace.texts if text.kind == "reply"]
    if tokens and (not replies or "".join(replies).strip()):
        token_ns, prompted_ns = min(tokens)
        figures["llm_ttft"] = token_ns - prompted_ns
        figures["llm_first_token_latency"] = token_ns - t0_ns
    usage = evidence.trace.usage
    if usage is not None and usage.cached_tokens is not None and usage.prompt_tokens:
        figures["llm_prompt_cached"] = usage.cached_tokens / usage.prompt_tokens
    for mark, name in ((KnownMark.LLM_FIRST_BYTE, "llm_ttfb"), (KnownMark.LLM_FIRST_ANSWER_TOKEN, "llm_ttfat")):
        marked_ns = [each.at_ns for each in evidence.trace.marks if each.name == mark]
        if marked_ns:
            figures[name] = marked_ns[0] - begins_ns
    return figures


def _stage_figures(trace: TurnTrace) -> dict[str, int | float]:
    figures: dict[str, int | float] = defaultdict(int)
    for span in trace.spans:
        figures[f"stage.{span.stage}.host"] += span.end_ns - span.start_ns
        if span.gpu is not None:
            figures[f"stage.{span.stage}.gpu"] += span.gpu.end_ns - span.gpu.start_ns
    return dict(figures)


def _server_figures(trace: TurnTrace) -> dict[str, int | float]:
    """The connection, and what the server states about its own work."""
    figures: dict[str, int | float] = {f"server.{each.name}": each.ns for each in trace.server_figures}
    if trace.session is not None:
        figures["session_setup"] = trace.session.ready_ns - trace.session.begun_ns
    if trace.round_trips_ns:
        figures["round_trip"] = min(trace.round_trips_ns)
    if (left := lowest_left(trace)) is not None:
        figures["rate_limit_left"] = left
    return figures


def _path_error_ns(path: tuple[Part, ...]) -> int:
    return max((part.error_ns for part in path), default=0)
