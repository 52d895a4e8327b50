"""What `bench corpus import` prints: what it will take and under which licence, then what it took and left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firstpacket.bench.corpus.licences import restrictions
from firstpacket.bench.format import counted
from firstpacket.bench.sanitize import clean
from firstpacket.bench.vocabulary import ANSWER_RULES
from firstpacket.pipelines.tools.corpora.importing.plan import Plan
from firstpacket.pipelines.tools.corpora.importing.record import ImportRecord

_SHOWN = 5


def planned(plan: Plan) -> Iterator[str]:
    """Before anything is written."""
    wanted = plan.wanted
    name = ":".join(filter(None, (wanted.dataset, "/".join(filter(None, (wanted.subset, ", ".join(wanted.splits)))))))
    over = f", drawn over {wanted.drawn_over}" if wanted.drawn_over else ""
    some = f"; {wanted.take} wanted{over}, seed {wanted.seed}" if wanted.take else ""
    there = counted(len(plan.candidates), "recording")
    yield clean(f"data set: {name} ({wanted.kind}), revision {wanted.revision}: {there}{some}")
    forbidden = "".join(f"; {each}" for each in restrictions(wanted.licence))
    yield clean(f"licence: {wanted.licence}, {wanted.licence_from}{forbidden}")
    per_turn = "of every turn" if any(one.row.text for one in plan.candidates) else "none"
    yield clean(f"text: {f'column {wanted.text}' if wanted.text else per_turn}")
    if wanted.answers:
        rule = f"`{wanted.answer_rule}`: {ANSWER_RULES[wanted.answer_rule]}"
        yield clean(f"answers: column {wanted.answers}, rule {rule}")


def written(record: ImportRecord, out: Path) -> Iterator[str]:
    """After it."""
    counts = record.counts
    if counts is None:
        return
    dialogues = f" in {counted(counts.dialogues, 'dialogue')}" if counts.dialogues else ""
    speakers = f", {counted(counts.speakers, 'speaker')}" if counts.speakers else ""
    yield f"{counted(counts.taken, 'recording')}{dialogues}{speakers}, {counts.seconds:.1f} s, in {out}"
    for reason, rows in counts.left_out.items():
        shown = ", ".join(rows.ids[:_SHOWN]) + (", …" if rows.ids[_SHOWN:] else "")
        detail = f"; the first: {rows.detail}" if rows.detail else ""
        yield clean(f"left out, {reason}: {rows.count} ({shown}{detail})")
    if counts.rounded:
        yield f"rounded to 16 bits: {counted(counts.rounded, 'recording')}, compressed with loss (MP3) or of more bits"
    yield from (clean(f"note: {notice}") for notice in record.notices)
    yield f"ends of speech are estimated; check them with: bench corpus check {out}"
