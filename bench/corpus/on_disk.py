"""Decoded clips of a large corpus in a temporary file instead of memory: an hour of them takes 230 MB."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import CorpusError


def kept_on_disk(utterances: Iterable[Utterance]) -> tuple[Utterance, ...]:
    """The same utterances; their samples are read from a file when they are used.

    The file has no name, and is gone when nothing refers to its samples any more. Raises `CorpusError` if the disk is
    full.
    """
    kept, ends, nothing = [], [0], np.zeros(0, dtype=np.float32)
    with tempfile.TemporaryFile() as file:
        for one in utterances:
            try:
                file.write(one.samples.tobytes())
                file.flush()
            except OSError as error:
                raise _full(error) from error
            kept.append(replace(one, samples=nothing))
            ends.append(ends[-1] + len(one.samples))
        samples = np.memmap(file, dtype=np.float32, mode="r")
    return tuple(
        replace(one, samples=samples[start:end]) for one, start, end in zip(kept, ends, ends[1:], strict=False)
    )


def _full(error: OSError) -> CorpusError:
    return CorpusError(
        f"The decoded recordings cannot be kept in {tempfile.gettempdir()}: {error.strerror}. Free some space there,"
        " name another folder with TMPDIR, or use fewer recordings (--turns, --limit)."
    )
