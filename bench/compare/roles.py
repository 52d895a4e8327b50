"""What each role contributes to the mean difference of the first packet, from pairs of critical paths.

Means, because they add up: in every pair the differences of all roles sum exactly to the difference of the latencies.
Where one of the two systems cannot be looked into, listening, thinking and speaking are one role on both sides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firstpacket.bench.compare.pairs import Together, complete, names_in, value_of
from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.definitions import HEADLINE, metric
from firstpacket.bench.pipeline import Role
from firstpacket.bench.record.schema import System, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.path import ROLES, by_role, mean_ms

ByRole = Mapping[str, float]
"""Time on the critical path by role, ns."""
Plans = Sequence[tuple[str, System]]
"""The two systems of a comparison, with their names in it."""
INSIDE: tuple[Role, ...] = ("listen", "think", "speak")
"""What happens inside a black box, for all that its client can see."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """Mean difference `other - base` of the first packet over all pairs that have a critical path on both sides, ms.

    The values of `roles` add up to that of `total`; time that no stage accounts for has the role ''.
    """

    base: str
    other: str
    pairs: int
    total: Estimate | None
    """None without pairs."""
    roles: dict[str, Estimate]
    dropped: dict[str, int]
    """Dropped pairs, by reason."""
    black_boxes: tuple[str, ...] = ()
    """Which of the two cannot be looked into: then listening, thinking and speaking are one role, `opaque`."""

    @computed
    def shares(self) -> dict[str, float]:
        """Each role's share of the total, summing to 1; empty if the interval of the total includes zero."""
        total = self.total
        if total is None or total.interval is None or total.interval.contains(0.0):
            return {}
        return {role: each.value / total.value for role, each in self.roles.items()}


def contributions_within(run: Run, labels: tuple[str, str], together: Together) -> Contributions:
    """For two labels of one run, turn by turn."""
    plans = [(label, run.plan(label)) for label in labels]
    a, b = _roles(plans)
    kept, dropped = complete(together, labels, _path_of)
    sides = [by_role(turn, a) for turn, _ in kept.values()], [by_role(turn, b) for _, turn in kept.values()]
    clips, blocks = [key.utterance for key in kept], [key.stretch for key in kept]
    return _contributions(labels, sides, clips, blocks, dropped, _black_boxes(plans))


def contributions_between(base: Run, other: Run, labels: tuple[str, str]) -> Contributions:
    """For a label of one run and one of another, clip by clip: a clip's path is the mean of its turns' paths."""
    names = names_in(base, other, labels)
    plans = list(zip(names, (base.plan(labels[0]), other.plan(labels[1])), strict=True))
    a, b = _roles(plans)
    found = [_by_clip(base, labels[0], a), _by_clip(other, labels[1], b)]
    common = sorted(found[0].keys() & found[1].keys())
    sides = ([found[0][clip] for clip in common], [found[1][clip] for clip in common])
    dropped = Counter(
        {f"no path of {name}": len(found[1 - side].keys() - found[side]) for side, name in enumerate(names)}
    )
    return _contributions(names, sides, common, None, +dropped, _black_boxes(plans))


def _contributions(
    names: tuple[str, str],
    sides: tuple[Sequence[ByRole], Sequence[ByRole]],
    clips: Sequence[str],
    blocks: Sequence[str] | None,
    dropped: Mapping[str, int],
    black_boxes: tuple[str, ...],
) -> Contributions:
    if not clips:
        return Contributions(*names, 0, None, {}, dict(sorted(dropped.items())), black_boxes)
    changes = [
        {role: b.get(role, 0) - a.get(role, 0) for role in a.keys() | b.keys()} for a, b in zip(*sides, strict=True)
    ]
    present = {role for change in changes for role in change}
    totals = [{"": sum(change.values())} for change in changes]
    return Contributions(
        *names,
        pairs=len(clips),
        total=mean_ms(totals, "", clips, blocks),
        roles={role: mean_ms(changes, role, clips, blocks) for role in ROLES if role in present},
        dropped=dict(sorted(dropped.items())),
        black_boxes=black_boxes,
    )


def _path_of(turns: Sequence[Turn]) -> Turn | str:
    """The only turn, with its path, or why there is none."""
    value = value_of(turns, metric(HEADLINE))
    if isinstance(value, str):
        return value
    return turns[0] if turns[0].path else "no critical path"


def _black_boxes(plans: Plans) -> tuple[str, ...]:
    return tuple(name for name, plan in plans if plan.is_black_box)


def _roles(plans: Plans) -> list[dict[str, str]]:
    """The role of each stage, for either side; those that a black box has not are one."""
    inside = INSIDE if _black_boxes(plans) else ()
    return [{stage.id: "opaque" if stage.role in inside else stage.role for stage in plan.stages} for _, plan in plans]


def _by_clip(run: Run, label: str, roles: Mapping[str, str]) -> dict[str, ByRole]:
    turns: dict[str, list[dict[str, int]]] = defaultdict(list)
    for turn in run.measured(label):
        if not isinstance(_path_of([turn]), str):
            turns[turn.utterance].append(by_role(turn, roles))
    return {
        clip: {role: sum(each.get(role, 0) for each in found) / len(found) for role in set().union(*found)}
        for clip, found in turns.items()
    }
