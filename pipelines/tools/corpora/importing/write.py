"""Writes what an import plans to take: FLAC files, a manifest and a record, complete or not at all."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

from firstpacket.bench.corpus.estimates import ESTIMATES
from firstpacket.bench.corpus.manifest import MANIFEST, ManifestLine, write_manifest
from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.format import counted
from firstpacket.bench.sanitize import without_secrets
from firstpacket.pipelines.tools.corpora.importing.candidates import Candidate
from firstpacket.pipelines.tools.corpora.importing.plan import Plan
from firstpacket.pipelines.tools.corpora.importing.record import (
    RECORD,
    SCHEMA,
    Counts,
    ImportRecord,
    LeftOutRows,
    Wanted,
    write_record,
)
from firstpacket.pipelines.tools.corpora.importing.sampling import draw_order
from firstpacket.pipelines.tools.corpora.importing.sound import LeftOut, Stored, store
from firstpacket.pipelines.tools.corpora.importing.source import Part

CLIPS = "clips"
SALT = "speaker_salt"
"""The file with the salt of the speakers' hashes; without it nobody can test a name against them."""
NOTABLE_SHARE = 0.05
"""More left out than this is a notice."""

_DUPLICATE = "duplicate"
_AFTER = "after a turn that was left out"
_PACKAGES = ("firstpacket", "numpy", "pyarrow", "soundfile")

Progress = Callable[[int, int], None]


def write_corpus(plan: Plan, progress: Progress = lambda done, total: None) -> ImportRecord:
    """Write the corpus: into `FOLDER.part`, which is renamed at the end. Raises `BenchError`."""
    out = plan.request.out
    part = out.with_name(f"{out.name}.part")
    command = tuple(without_secrets(word) for word in plan.request.command)
    begun = ImportRecord(SCHEMA, command, _versions(), plan.wanted)
    try:
        _clear(part)
        (part / CLIPS).mkdir(parents=True)
        write_record(part, begun)
        if any(one.speaker for one in plan.candidates):
            (part / SALT).write_text(_salt(out))
        taken, left_out = _take(plan, part, progress)
        if not taken:
            shutil.rmtree(part)
            raise CorpusError(f"{plan.request.path}: no recording could be taken: {_said(left_out)}.")
        record = replace(begun, counts=_counts(plan, taken, left_out), notices=plan.notices)
        record = replace(record, notices=(*record.notices, *_share_left_out(record)))
        write_manifest(part / MANIFEST, _manifest(plan, taken, part))
        write_record(part, record)
        _put_in_place(part, out)
    except OSError as error:
        raise CorpusError(f"Cannot write to {part} ({error.strerror}). Choose another folder with -o.") from error
    return record


def _clear(part: Path) -> None:
    """Remove what an interrupted import left, if anything. Raises `UsageError` for a folder that is not from one."""
    if not part.exists():
        return
    if not (part / RECORD).is_file() and any(part.iterdir()):
        raise UsageError(f"{part} is in the way, and no interrupted import. Move it, or choose another folder with -o.")
    shutil.rmtree(part)


def _put_in_place(part: Path, out: Path) -> None:
    if not out.exists():
        part.rename(out)
        return
    if (out / ESTIMATES).is_file():
        shutil.copy2(out / ESTIMATES, part / ESTIMATES)
    old = out.with_name(f"{out.name}.old")
    _clear(old)
    out.rename(old)
    part.rename(out)
    shutil.rmtree(old)


@dataclass(frozen=True, slots=True)
class _Taken:
    candidate: Candidate
    stored: Stored


_LeftOut = dict[str, list[tuple[str, str]]]
"""Ids, each with a detail, by reason."""


def _take(plan: Plan, part: Path, progress: Progress) -> tuple[list[_Taken], _LeftOut]:
    """Store what is drawn, in the source's order; what cannot be used is replaced by what would be drawn next."""
    units: dict[str, list[Candidate]] = {}
    for one in plan.candidates:
        units.setdefault(one.unit, []).append(one)
    wanted = min(plan.request.take or len(units), len(units))
    order = iter(_order(plan, units))
    place = {name: number for number, name in enumerate(units)}
    taken: dict[str, list[_Taken]] = {}
    left_out: _LeftOut = {}
    hashes: dict[str, str] = {}
    while batch := sorted(islice(order, wanted - len(taken)), key=place.__getitem__):
        for name in batch:
            if stored := list(_store(plan, units[name], part, left_out, hashes)):
                taken[name] = stored
            progress(len(taken), wanted)
    return [each for name in units if name in taken for each in taken[name]], left_out


def _order(plan: Plan, units: dict[str, list[Candidate]]) -> Iterable[str]:
    if plan.request.take is None:
        return units
    over = plan.wanted.drawn_over
    groups = {
        name: {"speakers": turns[0].speaker, "categories": turns[0].category}.get(over, "")
        for name, turns in units.items()
    }
    return draw_order(groups, plan.request.seed)


def _store(
    plan: Plan, turns: Sequence[Candidate], part: Path, left_out: _LeftOut, hashes: dict[str, str]
) -> Iterator[_Taken]:
    """The recordings of a unit that can be used: of a dialogue, those before the first that cannot."""
    for place, one in enumerate(turns):
        out = _clip(part, one)
        try:
            stored = store(one.row, out, plan.request.longest_s)
            if not one.row.dialogue and (same := hashes.setdefault(stored.sha256, one.id)) != one.id:
                out.unlink()
                raise LeftOut(_DUPLICATE, f"has the same sound as {same}")
        except LeftOut as error:
            left_out.setdefault(error.reason, []).append((one.id, error.detail))
            for later in turns[place + 1 :]:
                left_out.setdefault(_AFTER, []).append((later.id, ""))
            return
        yield _Taken(one, stored)


def _clip(part: Path, one: Candidate) -> Path:
    return part / CLIPS / f"{one.id}.flac"


def _counts(plan: Plan, taken: Sequence[_Taken], left_out: _LeftOut) -> Counts:
    chosen = [each.candidate for each in taken]
    return Counts(
        rows=len(plan.candidates),
        taken=len(taken),
        dialogues=len({one.row.dialogue for one in chosen} - {""}),
        speakers=len({one.speaker for one in chosen} - {""}),
        seconds=round(sum(each.stored.seconds for each in taken), 3),
        rounded=sum(each.stored.rounded for each in taken),
        left_out={
            reason: LeftOutRows(len(rows), tuple(name for name, _ in rows), rows[0][1])
            for reason, rows in left_out.items()
        },
        unusable_answers=sum(one.unusable_answers for one in chosen),
    )


def _share_left_out(record: ImportRecord) -> Iterator[str]:
    counts = record.counts
    if counts is None:
        return
    missing = sum(each.count for each in counts.left_out.values())
    if missing > NOTABLE_SHARE * (missing + counts.taken):
        yield (
            f"{missing} of {missing + counts.taken} recordings were left out, so the corpus may differ from the data"
            f" set: see {RECORD}."
        )
    units = counts.taken if not counts.dialogues else counts.dialogues
    if record.wanted.take and units < record.wanted.take:
        yield f"{units} of the {record.wanted.take} wanted could be taken."
    if counts.unusable_answers:
        recordings, rule = counted(counts.unusable_answers, "recording"), record.wanted.answer_rule
        yield f"{recordings} with answers that the rule `{rule}` cannot judge; these answers were left out."


def _manifest(plan: Plan, taken: Sequence[_Taken], part: Path) -> Iterator[ManifestLine]:
    wanted = plan.wanted
    salt = (part / SALT).read_text() if (part / SALT).is_file() else ""
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


def _salt(out: Path) -> str:
    """That of the import which is repeated, or a new one."""
    return (out / SALT).read_text() if (out / SALT).is_file() else secrets.token_hex(16)


def _said(left_out: _LeftOut) -> str:
    return ", ".join(f"{len(rows)} {reason}" for reason, rows in left_out.items())


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
