"""The manifest's lines of what was taken; speakers are pseudonyms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from firstpacket.bench.corpus.manifest import ManifestLine
from firstpacket.pipelines.tools.corpora.importing.plan import Plan
from firstpacket.pipelines.tools.corpora.importing.record import Wanted
from firstpacket.pipelines.tools.corpora.importing.source import Part
from firstpacket.pipelines.tools.corpora.importing.taking import Taken

CLIPS = "clips"


def manifest_lines(plan: Plan, taken: Iterable[Taken], salt: str) -> Iterator[ManifestLine]:
    """One line per recording; `salt` goes into the hashes of speakers."""
    wanted = plan.wanted
    for each in taken:
        one, row = each.candidate, each.candidate.row
        yield ManifestLine(
            id=one.id,
            audio=f"{CLIPS}/{one.id}.flac",
            text=row.text,
            speech_end_ms=row.speech_end_ms,
            language=wanted.language,
            speaker_kind=plan.kind.speaker_kind(one.part.subset),
            licence=wanted.licence,
            sha256=each.stored.sha256,
            answers=one.answers,
            split=one.part.split,
            dataset=_dataset(wanted, one.part),
            revision=wanted.revision,
            speaker=_pseudonym(salt, wanted, one.speaker),
            category=one.category,
            dialogue=row.dialogue,
            turn=row.turn,
            answer_rule=wanted.answer_rule if wanted.answers else None,
        )


def _dataset(wanted: Wanted, part: Part) -> str:
    inner = "/".join(filter(None, (part.subset, part.split)))
    return f"{wanted.dataset}:{inner}" if inner else wanted.dataset


def _pseudonym(salt: str, wanted: Wanted, speaker: str) -> str:
    """A short hash, for resampling by speaker: of no use outside this corpus, and no name."""
    if not speaker:
        return ""
    return hashlib.sha256("\n".join((salt, wanted.dataset, wanted.revision, speaker)).encode()).hexdigest()[:12]
