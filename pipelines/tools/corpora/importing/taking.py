"""Stores what is drawn, puts what is drawn next in the place of what cannot be used, and names what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from firstpacket.pipelines.tools.corpora.importing.candidates import Candidate
from firstpacket.pipelines.tools.corpora.importing.plan import Plan
from firstpacket.pipelines.tools.corpora.importing.sampling import draw_order
from firstpacket.pipelines.tools.corpora.importing.sound import LeftOut, Stored, store

DUPLICATE = "duplicate"
AFTER = "after a turn that was left out"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording of the corpus."""

    candidate: Candidate
    stored: Stored


@dataclass(slots=True)
class Harvest:
    """What an import took and left out; grows while it runs."""

    units: dict[str, list[Taken]] = field(default_factory=dict)
    """Recordings by what was drawn: each alone, or a dialogue's turns."""
    left_out: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Ids, each with a detail, by reason."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Ids by the hash of the sound."""

    def leave_out(self, reason: str, name: str, detail: str = "") -> None:
        """Count and name a recording."""
        self.left_out.setdefault(reason, []).append((name, detail))


def take(plan: Plan, clips: Path, progress: Progress) -> Harvest:
    """Store what is drawn in the folder `clips`, in the source's order."""
    units: dict[str, list[Candidate]] = {}
    for one in plan.candidates:
        units.setdefault(one.unit, []).append(one)
    wanted = min(plan.request.take or len(units), len(units))
    order = iter(_order(plan, units))
    place = {name: number for number, name in enumerate(units)}
    harvest = Harvest()
    while batch := sorted(islice(order, wanted - len(harvest.units)), key=place.__getitem__):
        for name in batch:
            if stored := list(_store(plan, units[name], clips, harvest)):
                harvest.units[name] = stored
            progress(len(harvest.units), wanted)
    harvest.units = {name: harvest.units[name] for name in units if name in harvest.units}
    return harvest


def _order(plan: Plan, units: dict[str, list[Candidate]]) -> Iterable[str]:
    if plan.request.take is None:
        return units
    over = plan.wanted.drawn_over
    groups = {
        name: {"speakers": turns[0].speaker, "categories": turns[0].category}.get(over, "")
        for name, turns in units.items()
    }
    return draw_order(groups, plan.request.seed)


def _store(plan: Plan, turns: Sequence[Candidate], clips: Path, harvest: Harvest) -> Iterator[Taken]:
    """The recordings of a unit that can be used: of a dialogue, those before the first that cannot."""
    for place, one in enumerate(turns):
        out = clips / f"{one.id}.flac"
        try:
            stored = store(one.row, out, plan.request.longest_s)
            if not one.row.dialogue and (same := harvest.hashes.setdefault(stored.sha256, one.id)) != one.id:
                out.unlink()
                raise LeftOut(DUPLICATE, f"has the same sound as {same}")
        except LeftOut as error:
            harvest.leave_out(error.reason, one.id, error.detail)
            for later in turns[place + 1 :]:
                harvest.leave_out(AFTER, later.id)
            return
        yield Taken(one, stored)
