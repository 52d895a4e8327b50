"""Where the time goes: the mean critical path, what was hidden beside it, and what differences are made of."""

from __future__ import annotations

from firstpacket.bench.compare.tables import contributions, ladder_table
from firstpacket.bench.report.bars import by_stage, stacks
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.report.section import Bars, Block, Section
from firstpacket.bench.report.view import View
from firstpacket.bench.summary.path import KINDS, ROLES
from firstpacket.bench.tables.table import Cell, Heading, Place, Row, Table

NO_STAGE = "no stage"


def overview(view: View) -> Bars | None:
    """The labels' mean paths side by side, a bar per stage: the picture of the first screen. None without any path."""
    found = by_stage(view.contents.summary.labels)
    if not found:
        return None
    roles = {bar.role for stack in found for bar in stack.bars}
    longest = max(stack.total_ms for stack in found)
    shown = tuple(role for role in ROLES if role in roles)
    said = "; ".join(f"{stack.label} {stack.total_ms:.0f} ms: {stack.said}" for stack in found)
    return Bars(found, Scale(0.0, longest), shown, (), f"Mean critical path from t0 to the first packet. {said}.")


def path(view: View) -> Section:
    """Parts, sums, hidden work; then what makes the differences, and the ladder."""
    labels = view.contents.summary.labels
    found = stacks(labels)
    if not found:
        return Section("path", "Where the time goes", "")
    kinds = {bar.kind for stack in found for bar in stack.bars}
    roles = {bar.role for stack in found for bar in stack.bars}
    longest = max(stack.total_ms for stack in found)
    drawn = Bars(
        found,
        Scale(0.0, longest),
        tuple(role for role in ROLES if role in roles),
        tuple(kind for kind in KINDS if kind in kinds),
        "The same by stage and kind of work; the table below has every part.",
    )
    blocks: list[Block] = [drawn, _parts(view)]
    if (compared := view.contents.comparison) is not None:
        blocks += contributions(compared, ("comparison",))
        if compared.ladder and compared.ladder.steps:
            blocks.append(ladder_table(compared.ladder, ("comparison", "ladder")))
    return Section(
        "path",
        "Where the time goes",
        "The mean critical path from t0 to the first packet: what was waited for, at every moment. The parts add up.",
        tuple(blocks),
    )


def _parts(view: View) -> Table:
    labels = view.labels
    places: dict[tuple[str, str], dict[str, Place]] = {}
    roles: dict[tuple[str, str], str] = {}
    for label in labels:
        at = (*view.of_label(label), "path", "parts")
        for number, part in enumerate(view.figures.value(at)):
            owner = (part["stage"], part["kind"])
            places.setdefault(owner, {})[label] = (*at, number, "mean")
            roles[owner] = roles.get(owner) or part["role"]
    owners = sorted(places, key=lambda owner: ROLES.index(roles[owner]))
    rows = [_part(view, owner, roles[owner], places[owner]) for owner in owners]
    total: list[Cell] = [view.figures.estimate((*view.of_label(label), "path", "total"), "ms") for label in labels]
    hidden = dict.fromkeys(stage for label in labels for stage in view.figures.value((*view.of_label(label), "hidden")))
    return Table(
        "Critical path, means in ms [95 % CI]",
        (Heading("part", is_number=False), Heading("how", is_number=False), *(Heading(label) for label in labels)),
        (
            tuple(rows),
            (Row((("sum",), ("",), *total), kind="sum"),),
            tuple(_hidden(view, stage) for stage in hidden),
        ),
        ("Hidden is work before the first packet that nothing waited for: it stands beside the sum, not in it.",),
    )


def _part(view: View, owner: tuple[str, str], role: str, places: dict[str, Place]) -> Row:
    stage, kind = owner
    means = [view.figures.estimate(places[label], "ms") if label in places else ("",) for label in view.labels]
    return Row(((stage or NO_STAGE,), (kind,), *means), role=role or "none")


def _hidden(view: View, stage: str) -> Row:
    cells: list[Cell] = []
    for label in view.labels:
        at = (*view.of_label(label), "hidden")
        cells.append(view.figures.estimate((*at, stage), "ms") if stage in view.figures.value(at) else ("",))
    return Row(((stage or NO_STAGE,), ("hidden",), *cells), kind="quiet", role="none")
