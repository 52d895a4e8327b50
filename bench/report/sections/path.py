"""Where the time goes: the mean critical path, hidden work, work during speech, and the parts of the differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from firstpacket.bench.compare.tables import contributions, ladder_table
from firstpacket.bench.format import Unit
from firstpacket.bench.report.bars import NO_STAGE, Stack, stacks
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.report.section import Bars, Block, Section
from firstpacket.bench.report.view import View, of_label
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.path import KINDS, ROLES
from firstpacket.bench.tables.cells import estimate
from firstpacket.bench.tables.table import Cell, Column, JsonPath, Table, rows, table, words


def overview(view: View) -> Bars | None:
    """The systems' mean paths side by side, a bar per stage, for the first screen. None without any path."""
    found = stacks(view.summaries, whole_stages=True)
    said = "; ".join(f"{stack.label} {stack.total_ms:.0f} ms: {stack.said}" for stack in found)
    return _bars(found, (), f"Mean critical path from t0 to the first packet. {said}.") if found else None


def path(view: View) -> Section:
    """Parts, totals, hidden work; then the parts of the differences, and the ladder."""
    found = stacks(view.summaries)
    if not found:
        return Section("path", "Where the time goes", "")
    drawn = _bars(found, KINDS, "The same by stage and kind of time; the table below lists every part.")
    blocks: list[Block] = [drawn, _parts(view)]
    if (compared := view.contents.comparison) is not None:
        blocks += contributions(compared, ("comparison",))
        if compared.ladder and compared.ladder.steps:
            blocks.append(ladder_table(compared.ladder, ("comparison", "ladder")))
    return Section(
        "path",
        "Where the time goes",
        "The mean critical path from t0 to the first packet: the stage being waited for at each moment. The parts add "
        "up to the latency.",
        tuple(blocks),
    )


def _bars(found: Sequence[Stack], kinds: Sequence[str], says: str) -> Bars:
    """With the roles, and of `kinds` those, that occur."""
    bars = [bar for stack in found for bar in stack.bars]
    return Bars(
        tuple(found),
        Scale(0.0, max(stack.total_ms for stack in found)),
        tuple(role for role in ROLES if role in {bar.role for bar in bars}),
        tuple(kind for kind in kinds if kind in {bar.kind for bar in bars}),
        says,
    )


DURING = "during speech"
HIDDEN = "Hidden work ran before the first packet without delaying it; it is not part of the total."
DURING_SPEECH = (
    "Work during speech was done before the user had finished, so that nobody waited for it; it is not part of the "
    "total. All stages: the time in which any of them worked. Share: of the time that the system worked for the first "
    "packet, during speech and on the path."
)


class Part(NamedTuple):
    """A part of the mean path, or hidden work, with every system's mean and its place in the JSON."""

    title: str
    how: str
    role: str
    means: Mapping[str, tuple[Estimate | None, JsonPath]]
    unit: Unit = "ms"


def _of_label(label: str) -> Column[Part]:
    def cell(part: Part) -> Cell:
        if label not in part.means:
            return ("",)
        mean, at = part.means[label]
        return estimate(mean, part.unit, at)

    return Column(label, cell)


def _parts(view: View) -> Table:
    columns: tuple[Column[Part], ...] = (
        words("part", lambda part: part.title),
        words("kind", lambda part: part.how),
        *map(_of_label, view.labels),
    )
    early = list(_during_speech(view))
    totals = {label.label: (label.path.total, of_label(label, "path", "total")) for label in view.summaries}
    groups = (
        rows(columns, _waited_for(view), role=lambda part: part.role),
        rows(columns, [Part("total", "", "", totals)], kind="sum"),
        rows(columns, _hidden(view), kind="quiet", role=lambda part: part.role),
        rows(columns, early, kind="quiet", role=lambda part: part.role),
    )
    notes = [HIDDEN, *([DURING_SPEECH] if early else [])]
    return table("Critical path, means in ms [95 % CI]", columns, groups, notes=notes)


def _waited_for(view: View) -> list[Part]:
    means: dict[tuple[str, str], dict[str, tuple[Estimate | None, JsonPath]]] = defaultdict(dict)
    roles: dict[tuple[str, str], str] = {}
    for label in view.summaries:
        for number, part in enumerate(label.path.parts):
            owner = (part.stage, part.kind)
            means[owner][label.label] = (part.mean, of_label(label, "path", "parts", number, "mean"))
            roles[owner] = roles.get(owner) or part.role
    owners = sorted(means, key=lambda owner: ROLES.index(roles[owner]))
    return [Part(stage or NO_STAGE, kind, roles[stage, kind] or "none", means[stage, kind]) for stage, kind in owners]


def _hidden(view: View) -> Iterator[Part]:
    for stage in dict.fromkeys(stage for label in view.summaries for stage in label.hidden):
        means = {
            label.label: (label.hidden[stage], of_label(label, "hidden", stage))
            for label in view.summaries
            if stage in label.hidden
        }
        yield Part(stage or NO_STAGE, "hidden", "none", means)


def _during_speech(view: View) -> Iterator[Part]:
    """By stage, then of all; nothing if no system worked before the end of speech."""
    early = [(label, found) for label in view.summaries if (found := label.during_speech) and found.stages]
    roles = {stage.id: stage.role for label, _ in early for stage in label.stages}
    for stage in dict.fromkeys(stage for _, found in early for stage in found.stages):
        means = {
            label.label: (found.stages[stage], of_label(label, "during_speech", "stages", stage))
            for label, found in early
            if stage in found.stages
        }
        yield Part(stage, DURING, roles.get(stage, "none"), means)
    if early:
        totals = {label.label: (found.total, of_label(label, "during_speech", "total")) for label, found in early}
        yield Part("all stages", DURING, "", totals)
        shares = {label.label: (found.share, of_label(label, "during_speech", "share")) for label, found in early}
        yield Part("share of the work", DURING, "", shares, "share")
