"""The licences of a run's recordings, and what they forbid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket.bench.corpus.licences import restrictions
from firstpacket.bench.record.schema import Manifest


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence, the number of the run's clips that are under it, and what it forbids."""

    licence: str
    clips: int
    forbids: tuple[str, ...]


def licences(manifest: Manifest) -> tuple[Licence, ...]:
    """The licences that the corpus names, most clips first; empty if it names none."""
    counted = Counter(clip.licence for clip in manifest.utterances if clip.licence)
    return tuple(
        Licence(name, clips, restrictions(name))
        for name, clips in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )


def licence_sentence(licences: Sequence[Licence]) -> str:
    """All licences in a sentence, for the foot of a report; empty without any."""
    if not licences:
        return ""
    named = (f"{each.licence} ({each.clips}{''.join(f'; {text}' for text in each.forbids)})" for each in licences)
    return f"Licences of the recordings, by clips: {', '.join(named)}."
