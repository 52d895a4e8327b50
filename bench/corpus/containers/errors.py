"""The errors for files that cannot be read: each says what the file is, and how to get one that can."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from firstpacket.bench.errors import CorpusError

READABLE = "WAV, FLAC, MP3, Opus or Ogg Vorbis"
_DRIVE = re.compile(r"[A-Za-z]:(\\.*)?")


def truncated(path: Path, evidence: str) -> CorpusError:
    """The error for a file that ends early or is damaged inside."""
    return CorpusError(
        f"{path}: the recording is truncated or damaged ({evidence}). Download or export it again, or remove it."
    )


def no_file(path: Path) -> CorpusError:
    """The error for a path with no regular file at its end."""
    if path.is_symlink() and not path.exists():
        return CorpusError(
            f"{path}: is a link to {path.readlink()}, which does not exist. Fetch the file, as with git annex get or"
            " dvc pull."
        )
    if path.is_dir():
        return CorpusError(f"{path}: is a folder, not a file. Pass a file in it.")
    if path.exists():
        return CorpusError(f"{path}: is a pipe, socket or device, not a file. Save its content to a file first.")
    if "\\" in path.name or any(_DRIVE.fullmatch(part) for part in path.parts):
        return CorpusError(f"{path}: no such file. It looks like a path of Windows: use relative paths with '/'.")
    return CorpusError(f"{path}: no such file. Correct the path, or download the recording.")


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
