"""Where the time goes: the mean critical path, what was hidden beside it, and what differences are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firstpacket.bench.analysis.attribution import ROLES as ROLE_WORDS
from firstpacket.bench.report.bars import by_stage, stacks
from firstpacket.bench.report.figures import SHARE
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.report.section import Bars, Block, Cell, Column, Place, Row, Section, Table
from firstpacket.bench.report.view import View
from firstpacket.bench.summary.path import KINDS, ROLES

MEAN = ("mean", "mean_low", "mean_high")
TOTAL = ("total", "total_low", "total_high")
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
    blocks: list[Block] = [drawn, _parts(view), *_contributions(view), *_ladder(view)]
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
            places.setdefault(owner, {})[label] = (*at, number)
            roles[owner] = roles.get(owner) or part["role"]
    owners = sorted(places, key=lambda owner: ROLES.index(roles[owner]))
    rows = [_part(view, owner, roles[owner], places[owner]) for owner in owners]
    total: list[Cell] = [_estimate(view, (*view.of_label(label), "path"), TOTAL) for label in labels]
    hidden = dict.fromkeys(stage for label in labels for stage in view.figures.value((*view.of_label(label), "hidden")))
    return Table(
        "Critical path, means in ms [95 % CI]",
        (Column("part", is_number=False), Column("how", is_number=False), *(Column(label) for label in labels)),
        (
            tuple(rows),
            (Row((("sum",), ("",), *total), kind="sum"),),
            tuple(_hidden(view, stage) for stage in hidden),
        ),
        ("Hidden is work before the first packet that nothing waited for: it stands beside the sum, not in it.",),
    )


def _part(view: View, owner: tuple[str, str], role: str, places: dict[str, Place]) -> Row:
    stage, kind = owner
    means = [view.figures.estimate(places[label], "ms", MEAN) if label in places else ("",) for label in view.labels]
    return Row(((stage or NO_STAGE,), (kind,), *means), role=role or "none")


def _hidden(view: View, stage: str) -> Row:
    cells: list[Cell] = []
    for label in view.labels:
        at = (*view.of_label(label), "hidden")
        cells.append(view.figures.estimate((*at, stage), "ms", MEAN) if stage in view.figures.value(at) else ("",))
    return Row(((stage or NO_STAGE,), ("hidden",), *cells), kind="quiet", role="none")


def _estimate(view: View, at: Place, names: tuple[str, str, str]) -> Cell:
    return view.figures.estimate(at, "ms", names)


def _contributions(view: View) -> Sequence[Table]:
    """What every role contributes to the differences, label by label against the first."""
    comparison: dict[str, Any] | None = view.document["comparison"]
    if comparison is None:
        return ()
    found = comparison["comparisons"]
    roles = [role for role in ROLES if any(role in each["contributions"]["roles"] for each in found)]
    if not roles:
        return ()
    rows = [_role(view, role, found) for role in roles]
    sums = [_total(view, place) for place, _ in enumerate(found)]
    columns = [Column(f"{each['other']} - {each['base']}") for each in found]
    return (
        Table(
            "What the differences are made of, means in ms [95 % CI]",
            (Column("role", is_number=False), *columns),
            (tuple(rows), (Row((("together",), *sums), kind="sum"),)),
            ("Over pairs with a critical path on both sides; the roles add up. The share is of the mean difference.",),
        ),
    )


def _role(view: View, role: str, found: Sequence[dict[str, Any]]) -> Row:
    cells: list[Cell] = []
    for place, each in enumerate(found):
        at: Place = ("comparison", "comparisons", place, "contributions", "roles")
        if role not in each["contributions"]["roles"]:
            cells.append(("",))
            continue
        shares = view.figures.value(("attribution", place, "shares"))
        share = view.figures.number(("attribution", place, "shares", role), SHARE) if role in shares else ()
        cells.append((*view.figures.estimate((*at, role), "ms"), *((", ", *share) if share else ())))
    return Row(((ROLE_WORDS[role],), *cells), role=role or "none")


def _total(view: View, place: int) -> Cell:
    return view.figures.estimate(("comparison", "comparisons", place, "contributions", "total"), "ms")


def _ladder(view: View) -> Sequence[Table]:
    comparison: dict[str, Any] | None = view.document["comparison"]
    found = comparison["ladder"] if comparison else None
    if not found or not found["steps"]:
        return ()
    at: Place = ("comparison", "ladder")
    rows = [
        Row((
            (step["base"],), (step["other"],), (step["changed"],),
            view.figures.estimate((*at, "steps", place, "difference"), found["unit"]),
            view.figures.number((*at, "steps", place, "share"), SHARE),
        ))
        for place, step in enumerate(found["steps"])
    ]  # fmt: skip
    whole = view.figures.estimate((*at, "whole"), found["unit"])
    last = Row(((found["labels"][0],), (found["labels"][-1],), ("everything",), whole, ("",)), kind="sum")
    columns = [Column(name, is_number=False) for name in ("from", "to", "changed")]
    return (
        Table(
            f"Step by step: {found['title']}, means [95 % CI]",
            (*columns, Column("difference"), Column("share")),
            (tuple(rows), (last,)),
            ("Over the turns that every label answered; the steps add up to the whole.",),
        ),
    )
