"""The mean critical path to the first packet, the work hidden behind it, and the work before the end of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, get_args

from firstpacket.bench.metrics.during_speech import TOTAL, stage_of
from firstpacket.bench.pipeline import Role
from firstpacket.bench.record.schema import System, Turn
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.stats.ratio import ratio_of_sums
from firstpacket.bench.summary.contents import DuringSpeech, Path, PathMean
from firstpacket.bench.timing.clock import NS_PER_MS

KINDS = ("queued", "launch", "host", "gpu", "unattributed")
"""Kinds of time on a path, in their usual order within a stage."""
WORK = ("launch", "host", "gpu")
"""Those in which a stage works."""
ROLES = (*get_args(Role), "")
"""Roles in the order of a turn; the last, empty one is for time of no stage."""

Owner = tuple[str, str]
"""A stage and the kind of its part."""
Key = TypeVar("Key", bound=Hashable)


def mean_path(turns: Sequence[Turn], plan: System) -> Path:
    """Mean over turns that have a path: every part and role with its interval; parts and roles add up to the total."""
    roles = {stage.id: stage.role for stage in plan.stages}
    by_part: list[dict[Owner, int]] = [{(part.stage, part.kind): part.ns for part in turn.path} for turn in turns]
    roles_of_turns = [by_role(turn, roles) for turn in turns]
    clips = [turn.utterance for turn in turns]
    parts = [
        PathMean(stage, roles.get(stage, ""), kind, mean_ms(by_part, (stage, kind), clips))
        for stage, kind in _path_order(plan, {owner for parts in by_part for owner in parts})
    ]
    total = mean_ms([{"": sum(parts.values())} for parts in by_part], "", clips) if turns else None
    found = {role for each in roles_of_turns for role in each}
    means = {role: mean_ms(roles_of_turns, role, clips) for role in ROLES if role in found}
    return Path(len(turns), total, tuple(parts), means)


def hidden_work(turns: Sequence[Turn]) -> dict[str, Estimate]:
    """Per stage: mean work before the first packet that was not on the path, with its interval, ms."""
    clips = [turn.utterance for turn in turns]
    hidden = [turn.hidden for turn in turns]
    return {stage: mean_ms(hidden, stage, clips) for stage in dict.fromkeys(stage for each in hidden for stage in each)}


def work_during_speech(turns: Sequence[Turn]) -> DuringSpeech | None:
    """Mean work before the end of speech, and its share of all work until the first packet; None if not measured."""
    having = [turn for turn in turns if TOTAL in turn.figures]
    if not having:
        return None
    clips = [turn.utterance for turn in having]
    by_stage = [{stage: ns for name, ns in turn.figures.items() if (stage := stage_of(name))} for turn in having]
    before = [turn.figures[TOTAL] for turn in having]
    worked = [turn.figures[TOTAL] + sum(part.ns for part in turn.path if part.kind in WORK) for turn in having]
    return DuringSpeech(
        total=mean_ms([turn.figures for turn in having], TOTAL, clips),
        stages={
            stage: mean_ms(by_stage, stage, clips) for stage in dict.fromkeys(name for e in by_stage for name in e)
        },
        share=ratio_of_sums(before, worked, clips) if min(worked) > 0 else None,
    )


def by_role(turn: Turn, roles: Mapping[str, str]) -> dict[str, int]:
    """A turn's time on its path by role, ns; `roles` are those of the system's stages."""
    found: Counter[str] = Counter()
    for part in turn.path:
        found[roles.get(part.stage, "")] += part.ns
    return dict(found)


def mean_ms(
    turns: Sequence[Mapping[Key, float]], key: Key, clips: Sequence[str], blocks: Sequence[str] | None = None
) -> Estimate:
    """Mean over the turns of the ns under `key` (0 if absent), in ms, exact until the one division."""
    values = [turn.get(key, 0) for turn in turns]
    found = estimate([ns / NS_PER_MS for ns in values], clips, "mean", blocks=blocks)
    return replace(found, value=sum(values) / (len(values) * NS_PER_MS))


def _path_order(plan: System, owners: Iterable[Owner]) -> list[Owner]:
    """Stages as declared, then owners that are no stage; within a stage, waiting before work."""
    stages = [stage.id for stage in plan.stages]

    def place(owner: Owner) -> tuple[int, str, int]:
        stage, kind = owner
        return stages.index(stage) if stage in stages else len(stages), stage, KINDS.index(kind)

    return sorted(owners, key=place)
