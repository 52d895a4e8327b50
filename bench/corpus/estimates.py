"""Estimated ends of speech, stored in a file next to a corpus, by the hash of each recording.

A separate file, so that a corpus of any form can have one, and a manifest contains only what its author wrote.
`bench corpus check` writes it; loading a corpus reads it.
"""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.corpus.channels import Channel
from firstpacket.bench.corpus.manifest import parse_json, read_text
from firstpacket.bench.errors import CorpusError

ESTIMATES = "speech_ends.jsonl"
LEVEL = "level"
"""The detector of `firstpacket.bench.corpus.speech_end`: its estimate counts where a manifest names no end."""
FAR_APART_MS = 40.0
"""If ends differ by more than this, listen to the clip: every latency on it is uncertain by as much."""

_ANYBODY_WRITES = 0o222

Ends = Mapping[str, float | None]
"""End of speech by detector, ms from the clip's beginning; None where the detector heard no speech."""


@dataclass(frozen=True, slots=True)
class EndEstimates:
    """One recording's ends of speech; `id` is for people, the hash identifies it."""

    id: str
    sha256: str
    ends_ms: dict[str, float | None]
    channel: Channel = "mix"
    """What was heard of a recording with several channels."""


def spread_ms(end_ms: float, estimates: Ends) -> float:
    """Largest distance between the end that counts and the detectors' ends, and among these.

    0 without detectors, infinite where one of them heard no speech at all.
    """
    ends = [end_ms]
    for estimate in estimates.values():
        if estimate is None:
            return math.inf
        ends.append(estimate)
    return max(ends) - min(ends)


def read_estimates(source: Path, channel: Channel = "mix") -> dict[str, EndEstimates]:
    """The estimates stored next to a corpus's source (see `sources`), by the recordings' hashes; empty without any.

    Raises `CorpusError` for a file that cannot be read or is damaged.
    """
    return {line.sha256: line for line in _stored(place(source)) if line.channel == channel}


def _stored(path: Path) -> list[EndEstimates]:
    if not path.is_file():
        return []
    return [_decode(text, f"{path}:{row}") for row, text in enumerate(read_text(path).split("\n"), 1) if text.strip()]


def write_estimates(source: Path, found: Iterable[EndEstimates]) -> Path:
    """Store estimates next to a corpus's source, replacing older ones of the same recordings or ids; returns the file.

    Raises `OSError` if the folder cannot be written, `CorpusError` if the existing file is damaged. A read-only folder
    is left alone even when run as root, whom permissions do not stop.
    """
    new = tuple(found)
    known = {(name, each.channel) for each in new for name in (each.sha256, each.id)}
    path = place(source)
    kept = [each for each in _stored(path) if not known & {(each.sha256, each.channel), (each.id, each.channel)}]
    if not path.parent.stat().st_mode & _ANYBODY_WRITES:
        raise PermissionError(errno.EACCES, "its folder is read-only", str(path))
    path.write_text(
        "".join(json.dumps(encode(each), ensure_ascii=False) + "\n" for each in (*kept, *new)), encoding="utf-8"
    )
    return path


def place(source: Path) -> Path:
    """The file with the estimates of a corpus at `source`."""
    return (source if source.is_dir() else source.parent) / ESTIMATES


def _decode(text: str, where: str) -> EndEstimates:
    try:
        line = decode(EndEstimates, parse_json(text, where), where)
    except (DecodeError, OverflowError) as error:
        raise CorpusError(f"{error}. {_REMEDY}") from error
    for name, end_ms in line.ends_ms.items():
        if end_ms is not None and end_ms <= 0:
            raise CorpusError(f"{where}: {name} is {end_ms:g} ms, but an end of speech must be above 0. {_REMEDY}")
    return line


_REMEDY = "Delete the file, and recreate it with: bench corpus check CORPUS"
