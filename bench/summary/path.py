"""The mean critical path to the first packet, and the work hidden behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, get_args

from firstpacket.bench.pipeline import Role
from firstpacket.bench.record.schema import System, Turn
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.summary.contents import Path, PathMean
from firstpacket.bench.timing.clock import NS_PER_MS

KINDS = ("queued", "launch", "host", "gpu", "unattributed")
"""Kinds of time on a path, in their usual order within a stage."""
ROLES = (*get_args(Role), "")
"""Roles in the order of a turn; the last, empty one is for time of no stage."""

Owner = tuple[str, str]
"""A stage and the kind of its part."""
Key = TypeVar("Key", bound=Hashable)


def mean_path(turns: Sequence[Turn], plan: System) -> Path:
    """Mean over turns that have a path: every part and role with its interval; parts and roles add up to the total."""
    roles = {stage.id: stage.role for stage in plan.stages}
    by_part: list[dict[Owner, int]] = [{(part.stage, part.kind): part.ns for part in turn.path} for turn in turns]
    by_role = [_by_role(parts, roles) for parts in by_part]
    clips = [turn.utterance for turn in turns]
    parts = [
        PathMean(stage, roles.get(stage, ""), kind, _mean(by_part, (stage, kind), clips))
        for stage, kind in _path_order(plan, {owner for parts in by_part for owner in parts})
    ]
    total = _mean([{"": sum(parts.values())} for parts in by_part], "", clips) if turns else None
    found = {role for parts in by_role for role in parts}
    return Path(len(turns), total, tuple(parts), {role: _mean(by_role, role, clips) for role in ROLES if role in found})


def hidden_work(turns: Sequence[Turn]) -> dict[str, Estimate]:
    """Per stage: mean work before the first packet that was not on the path, with its interval, ms."""
    clips = [turn.utterance for turn in turns]
    hidden = [turn.hidden for turn in turns]
    return {stage: _mean(hidden, stage, clips) for stage in dict.fromkeys(stage for each in hidden for stage in each)}


def _by_role(parts: Mapping[Owner, int], roles: Mapping[str, str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (stage, _), ns in parts.items():
        found[roles.get(stage, "")] += ns
    return dict(found)


def _mean(turns: Sequence[Mapping[Key, int]], key: Key, clips: Sequence[str]) -> Estimate:
    """Mean over the turns of the value under `key` (0 if absent), ms; integers until the one division."""
    values = [turn.get(key, 0) for turn in turns]
    found = estimate([ns / NS_PER_MS for ns in values], clips, "mean")
    return replace(found, value=sum(values) / (len(values) * NS_PER_MS))


def _path_order(plan: System, owners: Iterable[Owner]) -> list[Owner]:
    """Stages as declared, then owners that are no stage; within a stage, waiting before work."""
    stages = [stage.id for stage in plan.stages]

    def place(owner: Owner) -> tuple[int, str, int]:
        stage, kind = owner
        return stages.index(stage) if stage in stages else len(stages), stage, KINDS.index(kind)

    return sorted(owners, key=place)
