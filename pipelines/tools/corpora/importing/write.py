"""Writes what an import plans to take: FLAC files, a manifest and a record, complete or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from firstpacket.bench.corpus.estimates import ESTIMATES
from firstpacket.bench.corpus.manifest import MANIFEST, write_manifest
from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.format import counted
from firstpacket.bench.sanitize import without_secrets
from firstpacket.pipelines.tools.corpora.importing.manifest_lines import CLIPS, manifest_lines
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
from firstpacket.pipelines.tools.corpora.importing.taking import Harvest, Progress, take

SALT = "speaker_salt"
"""The file with the salt of the speakers' hashes; without it nobody can test a name against them."""
NOTABLE_SHARE = 0.05
"""More left out than this is a notice."""

_PACKAGES = ("firstpacket", "numpy", "pyarrow", "soundfile")


def write_corpus(plan: Plan, progress: Progress = lambda done, total: None) -> ImportRecord:
    """Write the corpus: into `FOLDER.part`, which is renamed at the end. Raises `BenchError`."""
    out = plan.request.out
    part = out.with_name(f"{out.name}.part")
    try:
        _clear(part)
        record = _fill(plan, part, _salt(out), progress)
        _put_in_place(part, out)
    except OSError as error:
        raise CorpusError(f"Cannot write to {part} ({error.strerror}). Choose another folder with -o.") from error
    return record


def _fill(plan: Plan, part: Path, salt: str, progress: Progress) -> ImportRecord:
    command = tuple(without_secrets(word) for word in plan.request.command)
    begun = ImportRecord(SCHEMA, command, _versions(), plan.wanted)
    (part / CLIPS).mkdir(parents=True)
    write_record(part, begun)
    if any(one.speaker for one in plan.candidates):
        (part / SALT).write_text(salt)
    harvest = take(plan, part / CLIPS, progress)
    if not harvest.units:
        shutil.rmtree(part)
        reasons = ", ".join(f"{len(rows)} {reason}" for reason, rows in harvest.left_out.items())
        raise CorpusError(f"{plan.request.path}: no recording could be taken: {reasons}.")
    counts = _counts(plan, harvest)
    notices = (*plan.notices, *_notices(plan.wanted, counts, len(harvest.units)))
    record = replace(begun, counts=counts, notices=notices)
    taken = (each for turns in harvest.units.values() for each in turns)
    write_manifest(part / MANIFEST, manifest_lines(plan, taken, salt))
    write_record(part, record)
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


def _counts(plan: Plan, harvest: Harvest) -> Counts:
    taken = [each for turns in harvest.units.values() for each in turns]
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
            for reason, rows in harvest.left_out.items()
        },
        unusable_answers=sum(one.unusable_answers for one in chosen),
    )


def _notices(wanted: Wanted, counts: Counts, units: int) -> Iterator[str]:
    missing = sum(each.count for each in counts.left_out.values())
    if missing > NOTABLE_SHARE * (missing + counts.taken):
        yield (
            f"{missing} of {missing + counts.taken} recordings were left out, so the corpus may differ from the data"
            f" set: see {RECORD}."
        )
    if wanted.take and units < wanted.take:
        yield f"{units} of the {wanted.take} wanted could be taken."
    if counts.unusable_answers:
        recordings, rule = counted(counts.unusable_answers, "recording"), wanted.answer_rule
        yield f"{recordings} with answers that the rule `{rule}` cannot judge; these answers were left out."


def _salt(out: Path) -> str:
    """That of the import which is repeated, or a new one."""
    return (out / SALT).read_text() if (out / SALT).is_file() else secrets.token_hex(16)


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
