"""Loads a corpus: every recording is decoded, checked and hashed before a run begins."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from firstpacket.bench.corpus import notices
from firstpacket.bench.corpus.audio import Clip, read_clip
from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.corpus.channels import Channel
from firstpacket.bench.corpus.estimates import LEVEL, EndEstimates, Ends, read_estimates
from firstpacket.bench.corpus.manifest import MANIFEST, Entry, ManifestLine, name_as_id
from firstpacket.bench.corpus.on_disk import kept_on_disk
from firstpacket.bench.corpus.sources import read_source
from firstpacket.bench.corpus.speech_end import estimate_speech_end
from firstpacket.bench.corpus.times import check_against_length
from firstpacket.bench.corpus.utterance import Corpus, EndMark, Utterance
from firstpacket.bench.errors import BenchError, CorpusError, UnknownName, UsageError
from firstpacket.bench.paths import file_named
from firstpacket.bench.pipeline import SAMPLE_RATE

SHORTEST_SPEECH_MS = 1.0
WHOLE = 500
"""Recordings of a corpus that is loaded whole, however few of them a run draws. Its hash is then the same in every run,
so that runs of different lengths can be compared."""
_MORE_THAN_LISTED_MS = 100.0
"""A length in another tool's list may be rounded, or leave an encoder's padding out."""
Draw = Callable[[Sequence[str]], Collection[str]]
"""Chooses ids from all ids of a corpus."""


def load_corpus(
    source: str,
    *,
    trim_to_s: float | None = None,
    limit: int | None = None,
    channel: Channel = "mix",
    draw: Draw | None = None,
) -> Corpus:
    """Load and check a corpus.

    `source` is the name of a corpus under `datasets/`, or a path: a folder with a manifest.jsonl, with another tool's
    list of recordings (`listings`), or with sound files and texts next to them; or one of those files itself. A name
    takes precedence over a folder of that name; write `./NAME` for the folder. `trim_to_s` keeps the first seconds of
    each clip, `limit` the first recordings, `channel` says what becomes of several channels. Of a dialogue only the
    first turn is loaded. Of more than `WHOLE` recordings only those that `draw` chooses are loaded; all without it.

    Raises `UnknownName` if there is no such corpus, `CorpusError` for anything wrong with it, `UsageError` for
    options out of range, `MissingDependency` if a clip needs a library that is not installed.
    """
    _check_options(trim_to_s, limit)
    name, path = find_source(source)
    listed = read_source(path)
    first = [entry for entry in listed.entries if not entry.line.turn]
    every = first[:limit]
    drawn = every if draw is None or len(every) <= WHOLE else _drawn(every, draw)
    loaded = _each(drawn, trim_to_s, channel, read_estimates(path, channel))
    utterances = tuple(loaded) if len(drawn) <= WHOLE else kept_on_disk(loaded)
    said = (
        *listed.notices,
        *notices.of_drawing(len(every), len(drawn)),
        *notices.of_recordings(utterances),
        *notices.of_later_turns(len(listed.entries) - len(first)),
    )
    return Corpus(name, source, utterances, _hash(utterances), said)


def each_utterance(source: str, channel: Channel = "mix") -> Iterator[Utterance]:
    """All utterances of a corpus, every turn of a dialogue too, one at a time, so that any number fits into memory.

    Raises as `load_corpus` does.
    """
    _, path = find_source(source)
    return _each(read_source(path).entries, None, channel, read_estimates(path, channel))


def _each(
    entries: Iterable[Entry], trim_to_s: float | None, channel: Channel, stored: Mapping[str, EndEstimates]
) -> Iterator[Utterance]:
    return (_load(entry, trim_to_s, channel, stored) for entry in entries)


def _drawn(entries: Sequence[Entry], draw: Draw) -> list[Entry]:
    """Those that are chosen, in the corpus's order."""
    chosen = set(draw([entry.line.id for entry in entries]))
    return [entry for entry in entries if entry.line.id in chosen]


def _check_options(trim_to_s: float | None, limit: int | None) -> None:
    if trim_to_s is not None and not (math.isfinite(trim_to_s) and trim_to_s > 0):
        raise UsageError(f"Clips cannot be trimmed to {trim_to_s:g} s. Pass a number of seconds above 0.")
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no recordings. Pass 1 or more, or omit it.")


def find_source(source: str) -> tuple[str, Path]:
    """A corpus's name and path. Raises `UnknownName`, or `CorpusError` for an invalid path."""
    known = {listing.name: listing.folder for listing in list_corpora()}
    if source in known:
        return source, known[source]
    path = file_named(Path(), source)
    if not source or not _exists(path):
        raise UnknownName("corpus", source, known, hint="Or pass the path to a folder, a manifest or a sound file.")
    return name_as_id(path.resolve().name if path.is_dir() else path.stem), path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be opened ({error.strerror}). Check the path and its permissions."
        ) from error


def _load(entry: Entry, trim_to_s: float | None, channel: Channel, stored: Mapping[str, EndEstimates]) -> Utterance:
    try:
        clip = read_clip(entry.audio, trim_to_s=trim_to_s, channel=channel)
        _check_against(entry, clip)
    except BenchError as error:
        if entry.where == str(entry.audio):
            raise
        raise type(error)(f"{entry.where}: {error}") from error
    estimates = stored.get(clip.sha256)
    return _utterance(entry, clip, estimates.ends_ms if estimates else {})


def _check_against(entry: Entry, clip: Clip) -> None:
    """Check the manifest's facts against the recording. Raises `CorpusError`."""
    line = entry.line
    if line.sha256 and line.sha256.lower() != clip.sha256:
        raise CorpusError(
            f"{entry.audio} is not the recording in the manifest: its SHA-256 is {clip.sha256[:12]}…, the manifest"
            f" has {line.sha256[:12]}…. Restore the file, or correct the manifest if the change was intended."
        )
    if entry.length_ms is not None and clip.file_ms > entry.length_ms + _MORE_THAN_LISTED_MS:
        raise CorpusError(
            f"{entry.audio} is {clip.file_ms:.0f} ms long, of which only the first {entry.length_ms:g} ms are listed."
            f" Cut the recording, or list it whole in a {MANIFEST}."
        )
    check_against_length(entry.audio, clip.file_ms, line.speech_start_ms, line.speech_end_ms)


def _utterance(entry: Entry, clip: Clip, estimates: Ends) -> Utterance:
    line = entry.line
    clip_ms = len(clip.samples) * 1000 / SAMPLE_RATE
    within = {name: None if end is None else min(end, clip_ms) for name, end in estimates.items()}
    end_ms, source, marks = _speech_end(line, clip, within)
    if end_ms < SHORTEST_SPEECH_MS:
        raise CorpusError(
            f"{entry.audio}: speech ends after {end_ms:g} ms, which leaves no speech."
            f" {'Remove the recording' if line.speech_end_ms is None else 'Correct speech_end_ms'}."
        )
    return Utterance(
        id=line.id,
        samples=clip.samples,
        sha256=clip.sha256,
        speech_end_ms=end_ms,
        speech_end_source=source,
        text=line.text,
        language=line.language,
        voice=line.voice,
        licence=line.licence,
        answers=line.answers,
        speech_end_estimates_ms=within,
        answer_rule=line.answer_rule or "equals",
        speaker=line.speaker,
        category=line.category,
        dialogue=line.dialogue,
        marks=(*clip.marks, *marks),
    )


def _speech_end(
    line: ManifestLine, clip: Clip, estimates: Ends
) -> tuple[float, Literal["annotated", "estimated"], tuple[EndMark, ...]]:
    """The end of speech in the clip as loaded: at most the clip's length, and that length for a clip without speech.

    A stored estimate takes precedence, so that a later version of the detector does not change a checked corpus.
    """
    clip_ms = len(clip.samples) * 1000 / SAMPLE_RATE
    if line.speech_end_ms is not None:
        return min(line.speech_end_ms, clip_ms), line.speech_end_source, ()
    if stored := estimates.get(LEVEL):
        return stored, "estimated", ()
    if found := estimate_speech_end(clip.samples):
        return found.ms, "estimated", ("doubtful-end",) if found.doubtful else ()
    return clip_ms, "estimated", () if "silent" in clip.marks else ("no-speech",)


def _hash(utterances: Iterable[Utterance]) -> str:
    """SHA-256 over content in order; file and folder names do not count. The length distinguishes trimmed clips."""
    return hashlib.sha256(json.dumps([_content(one) for one in utterances]).encode()).hexdigest()


def _content(one: Utterance) -> list[object]:
    content = [one.id, one.sha256, len(one.samples), one.text, one.speech_end_ms, one.speech_end_source]
    later = {"category": one.category, "dialogue": one.dialogue}
    if one.answer_rule != "equals":
        later["answer_rule"] = one.answer_rule
    given = {name: value for name, value in later.items() if value}
    return [*content, given] if given else content  # a manifest without these fields keeps the hash it had before them
