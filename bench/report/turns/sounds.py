"""What a listener would have heard, as one recording: the question, the silence, the reply with its stalls."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from firstpacket.bench.analysis.turn_trace import OneTurn, playback
from firstpacket.bench.corpus import decoders
from firstpacket.bench.corpus.audio import to_corpus_rate
from firstpacket.bench.errors import MissingDependency, RunError
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples

AUDIO = "audio"
LONGEST_S = 120.0
"""Turns that took longer, question and reply together, get no audio."""
COMPRESSION = 0.9
BYTES_PER_S = 3000
"""24 kbit/s for one channel at 16 kHz, which is what `COMPRESSION` means."""


def length_s(one: OneTurn, question_s: float) -> float:
    """Duration of a turn's audio."""
    ends_ns = max((end_ns for _, _, end_ns in playback(one.evidence)), default=0)
    return question_s + max(ends_ns - one.evidence.delivery.t0_ns, 0) / 1e9


def kept_file(run: Path, audio: str) -> Path:
    """Path of a saved reply: only the name is used, as the path in an untrusted run folder could point anywhere."""
    return run / AUDIO / Path(audio).name


def sound(one: OneTurn, question: Samples) -> bytes:
    """The whole turn as MP3, beginning with the user's first sample.

    `question`: float32 `(n,)` at 16 kHz, up to the end of speech. Raises `RunError` if the reply's audio is missing
    or does not match its packets, `CorpusError` if it is not audio, `MissingDependency` without soundfile.
    """
    return encoded(mixed(one, question, _reply(one)))


def mixed(one: OneTurn, question: Samples, reply: Samples) -> Samples:
    """Question and reply, each float32 `(n,)` at 16 kHz, on one time axis: packets sound when they are played.

    Raises `RunError` if that takes longer than `LONGEST_S`.
    """
    end_of_speech_ns = one.evidence.delivery.t0_ns
    playing = [stretch for stretch in playback(one.evidence) if stretch[0] == "playing"]
    pieces, media_ns = [], 0
    for _, start_ns, end_ns in playing:
        piece = reply[_samples(media_ns) : _samples(media_ns + end_ns - start_ns)]
        pieces.append((max(len(question) + _samples(start_ns - end_of_speech_ns), 0), piece))
        media_ns += end_ns - start_ns
    length = max([len(question), *(at + len(piece) for at, piece in pieces)])
    if length > LONGEST_S * SAMPLE_RATE:
        raise RunError(f"it is longer than {LONGEST_S:g} s")
    heard = np.zeros(length, np.float32)
    heard[: len(question)] = question
    for at, piece in pieces:
        heard[at : at + len(piece)] += piece
    clipped: Samples = np.clip(heard, -1.0, 1.0)
    return clipped


def encoded(samples: Samples) -> bytes:
    """Mono float32 `(n,)` at 16 kHz as MP3. Raises `MissingDependency` without a soundfile that can write it."""
    written = io.BytesIO()
    try:
        import soundfile

        soundfile.write(
            written, samples, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III",
            bitrate_mode="CONSTANT", compression_level=COMPRESSION,
        )  # fmt: skip
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise MissingDependency(
            f"Recordings in a report need soundfile with MP3: pip install -U 'soundfile>=0.13' ({error})."
        ) from error
    return written.getvalue()


def _reply(one: OneTurn) -> Samples:
    """The saved reply at 16 kHz, checked against its packets."""
    if not one.evidence.audio:
        raise RunError("its reply was not saved")
    file = kept_file(one.run.path, one.evidence.audio)
    if file.is_symlink() or not file.is_file():
        raise RunError(f"{AUDIO}/{file.name} is no longer in the run folder")
    rates = {packet.sample_rate for packet in one.trace.packets}
    promised = sum(packet.samples for packet in one.trace.packets)
    header = decoders.probe(file)
    if rates != {header.sample_rate} or header.frames != promised or header.frames > LONGEST_S * header.sample_rate:
        raise RunError(f"{AUDIO}/{file.name} does not match its packets")
    return to_corpus_rate(decoders.read(header, header.frames).mean(axis=1), header.sample_rate)


def _samples(ns: int) -> int:
    return round(ns * SAMPLE_RATE / 1_000_000_000)
