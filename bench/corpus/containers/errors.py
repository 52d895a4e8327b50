"""The errors for files that cannot be read: each says what the file is, and how to get one that can."""

from __future__ import annotations

import shlex
from pathlib import Path

from firstpacket.bench.errors import CorpusError

READABLE = "WAV, FLAC, MP3, Opus or Ogg Vorbis"


def truncated(path: Path, evidence: str) -> CorpusError:
    """The error for a file that ends early or is damaged inside."""
    return CorpusError(
        f"{path}: the recording is truncated or damaged ({evidence}). Download or export it again, or remove it."
    )


def not_read(path: Path, form: str) -> CorpusError:
    """The error for sound in a form that is not read."""
    return CorpusError(f"{path}: is {form}, which is not read. Convert it: {conversion(path)}")


def not_sound(path: Path, why: str, remedy: str = f"Use {READABLE}.") -> CorpusError:
    """The error for a file that holds no sound at all."""
    return CorpusError(f"{path}: not a sound file that can be read ({why}). {remedy}")


def conversion(path: Path, *options: str) -> str:
    """A command that converts a file to FLAC; `options` tell ffmpeg how to read it."""
    made = path.with_suffix(".flac") if path.suffix != ".flac" else path.with_suffix(".converted.flac")
    return shlex.join(["ffmpeg", *options, "-i", str(path), "-vn", str(made)])
