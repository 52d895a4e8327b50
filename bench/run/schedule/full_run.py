"""The full schedule of a run, from its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.record.schema import Manifest, Turn
from firstpacket.bench.run.schedule.adaptive import UntilPrecise
from firstpacket.bench.run.schedule.base import Chain, Plan, PlannedTurn, Preceded, Schedule, Step, Wait
from firstpacket.bench.run.schedule.orders import after_idle, measured
from firstpacket.bench.run.schedule.orders import warm_up as warm_up_order
from firstpacket.bench.run.schedule.warmup import UntilSteady
from firstpacket.bench.vocabulary import Flag


def full_schedule(
    manifest: Manifest,
    clips: Sequence[Utterance],
    earlier: Sequence[Turn] = (),
    segment: int = 0,
    began_ns: int = 0,
    spent_ns: int = 0,
    on_check: Callable[[str], None] = lambda _: None,
) -> Schedule:
    """Warm-up, then the remaining measured turns, then the remaining turns after idling.

    `earlier` turns come from starts that took `spent_ns`; this start, the `segment`-th, had loaded at `began_ns`.
    `on_check` is called with the result of every check.
    """
    labels, recorded = _labels(manifest), {turn.turn for turn in earlier}
    remaining = (planned for planned in plan(manifest, clips) if planned.turn not in recorded)
    rule = manifest.stopping_rule
    main: Schedule = Plan(remaining)
    if rule is not None:
        main = UntilPrecise(remaining, rule, labels, len(clips), earlier, began_ns, spent_ns, on_check)
    idle = Plan(_after_idle(manifest, clips, earlier))
    return Preceded(warm_up(labels, manifest, clips, segment), Chain(main, idle))


def plan(manifest: Manifest, clips: Sequence[Utterance]) -> Iterator[PlannedTurn]:
    """The measured turns, up to the maximum of the manifest."""
    seed, mirrored = manifest.options.seed, manifest.replicated
    return measured(_labels(manifest), _ids(clips), manifest.turns, seed, mirrored)


def warm_up(labels: Sequence[str], manifest: Manifest, clips: Sequence[Utterance], segment: int) -> Schedule:
    """The cold turn and the warm-up turns of `labels`, interleaved, as the manifest says."""
    if manifest.warmup_rule is not None:
        return UntilSteady(labels, manifest.warmup_rule, clips)
    return Plan(warm_up_order(labels, _ids(clips), manifest.warmup, manifest.options.seed + segment))


def _after_idle(manifest: Manifest, clips: Sequence[Utterance], earlier: Iterable[Turn]) -> Iterator[Step]:
    """Round by round: an idle wait, then one turn of each system that is not recorded yet.

    Turns after the first are flagged: their process was idle, but the machine was not.
    """
    options = manifest.options
    if not options.idle or not options.idle_turns:
        return
    recorded = {(turn.block, turn.label) for turn in earlier if turn.phase == "idle" and turn.outcome != "interrupted"}
    for turns in after_idle(_labels(manifest), _ids(clips), options.idle_turns, options.seed):
        remaining = [planned for planned in turns if (planned.block, planned.label) not in recorded]
        if remaining:
            yield Wait(round(options.idle * 1e9), ready=tuple(planned.label for planned in remaining))
            yield remaining[0]
            yield from (replace(planned, flags=(Flag.NOT_FIRST_AFTER_IDLE,)) for planned in remaining[1:])


def _labels(manifest: Manifest) -> list[str]:
    return [system.label for system in manifest.labels]


def _ids(clips: Iterable[Utterance]) -> list[str]:
    return [clip.id for clip in clips]
