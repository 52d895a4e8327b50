"""Every warning about how a run was made: what was found, why it matters, what to do. Errors are elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firstpacket.bench.metrics import gpu_figures
from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.metrics.steady_state import WarmUp
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.vocabulary import Flag

WORTH_SAYING = 0.05
"""Share of a label's measured turns from which on a flag is said at once; all are counted in tables and JSON."""
HEAVY_CORES = 0.25
"""Cores that other processes may take at the start before it is said."""
PRESSURE_PERCENT = 1.0

Facts = Mapping[str, OptionValue | None]

ADVICE = {
    Flag.NO_SUCH_START: "Measure from the end of speech (--t0 speech_end), which every turn has",
    Flag.HOST_BUSY: (
        "Stop them (`bench doctor` names the heavy ones) and measure again, or read small differences as noise"
    ),
    Flag.STOLEN: "Measure on a machine of your own, or one with dedicated cores",
    Flag.CPU_THROTTLED: "Raise the quota, or give whole cores instead (docker --cpuset-cpus)",
    Flag.PAGED: "Free memory, or run fewer labels at once; with weights read on first use, warm up longer",
    Flag.GC_PAUSED: "Look for what the pipeline allocates in every turn and keeps",
    Flag.GPU_THROTTLED: (
        "Look at its cooling and power limit (nvidia-smi -q -d PERFORMANCE), or lock its clocks (nvidia-smi -lgc)"
    ),
    Flag.GPU_SHARED: "End it (nvidia-smi names it), or choose another GPU with --device cuda:N",
    Flag.GPU_UNREAD: "See what nvidia-smi says as the same user in the same container",
}
"""For every flag that is said: what to do."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning: what it is about, in a word or two, and the whole of it in a sentence or two."""

    subject: str
    text: str


def of_run(run: Run) -> tuple[Notice, ...]:
    """All of a stored run: of its machine at every start, and of its turns."""
    facts = {notice: None for each in run.segments for notice in of_machine(each.environment, run.manifest.threads)}
    return (*facts, *of_turns(run.turns), *of_profiles(run.turns))


def of_machine(facts: Facts, threads: int | None = None) -> Iterator[Notice]:
    """Of a machine's facts (`firstpacket.bench.environment`), and of `threads` per worker on it."""
    governor, quota, cores = facts.get("governor"), _number(facts, "cpu_quota_cores"), _number(facts, "cores_usable")
    if governor not in (None, "performance"):
        text = f"the CPU governor is {governor}: clocks follow the load, and short work runs slower than it could. "
        yield Notice("governor", text + "As root: cpupower frequency-set -g performance.")
    if facts.get("on_battery"):
        yield Notice("battery", "the machine runs on battery, which lowers its clocks. Plug it in.")
    if quota is not None and cores is not None and quota < cores:
        text = f"a CPU quota allows {quota:g} of {cores:g} cores: whoever uses it up is held for tens of ms. "
        yield Notice("quota", text + "Give the container whole cores instead (docker --cpuset-cpus).")
    allowed = min((n for n in (cores, quota) if n is not None), default=None)
    if threads is not None and allowed is not None and threads > allowed:
        text = f"{threads} threads per worker on {allowed:g} usable cores wait for one another. "
        yield Notice("threads", text + f"Run with --threads {max(1, int(allowed))}.")
    if (_number(facts, "heavy_cores") or 0) > HEAVY_CORES:
        text = f"other processes took part of the cores: {facts.get('heavy_processes')} of one core. "
        yield Notice("neighbours", text + "Stop them, and measure again.")
    if (pressure := _number(facts, "memory_pressure_percent") or 0) > PRESSURE_PERCENT:
        text = f"processes waited for memory in {pressure:g} % of the time. "
        yield Notice("memory", text + "Close what is not needed, or use smaller models.")


def of_load(facts: Facts) -> Iterator[Notice]:
    """Of the load, where nothing of a run is part of it yet; a container may see no other sign of its neighbours."""
    load, cores = _number(facts, "load_1min") or 0, _number(facts, "cores_usable") or 1
    if load > 0.5 * cores:
        text = f"load is {load:g} on {cores:g} cores: other work will show in the figures. "
        yield Notice("load", text + "Stop it, or expect wide intervals.")


def of_turns(turns: Sequence[Turn]) -> Iterator[Notice]:
    """Of flags that a fair part of some label's measured turns carry."""
    measured = [turn for turn in turns if turn.is_measured]
    asked = Counter(turn.label for turn in measured)
    for flag, advice in ADVICE.items():
        flagged = Counter(turn.label for turn in measured if flag in turn.flags)
        if any(n >= WORTH_SAYING * asked[label] for label, n in flagged.items()):
            counts = ", ".join(f"{n} of {asked[label]} measured turns of {label}" for label, n in flagged.items())
            yield Notice(flag, f"{flag.meaning} in {counts} (flag {flag}). {advice}.")


def of_profiles(turns: Sequence[Turn]) -> Iterator[Notice]:
    """Of turns that were put under the GPU's profiler and have no profile, or not all of it."""
    asked = [turn for turn in turns if gpu_figures.put_under_the_profiler(turn)]
    blind = Counter((turn.label, turn.reason or turn.outcome) for turn in asked if "gpu_busy" not in turn.figures)
    for (label, why), n in blind.items():
        yield Notice("profiler", f"{n} profiled turns of {label} say nothing of the GPU: {why}.")
    lost = Counter({turn.label: 0 for turn in asked})
    for turn in asked:
        lost[turn.label] += int(turn.figures.get("gpu_lost_launches", 0))
    for label, n in (+lost).items():
        yield Notice("profiler", f"the profiler lost {n} launches of {label}: its busy times are too short by these.")


def of_warmth(
    label: str, warm_ups: Sequence[WarmUp], drift: Drift | None, carried: CarryOver | None
) -> Iterator[Notice]:
    """Of what kept a label's measured turns from being as warm as each other."""
    cold = [each for each in warm_ups if each.used and each.state != "settled"]
    if cold:
        yield Notice("warm-up", f"{label} was measured though {_not_settled(cold[0])}.")
    if drift is not None and drift.notable:
        text = (
            f"{label}: its first {drift.early} measured turns took {_shift(drift.excess)} than later ones "
            f"(p {drift.p:.2g}): it was not warm yet, or the machine changed. "
        )
        yield Notice("drift", text + "Warm it up longer (--warmup N), and see what else was said of the machine.")
    if carried is not None and carried.significant:
        largest = carried.largest
        text = (
            f"{label}: its first packet took {_shift(largest.difference)} right after a turn of {largest.predecessor} "
            f"than otherwise (p {carried.adjusted_p:.2g}, {largest.difference.n} of {carried.n} turns): something is "
            "left behind, such as caches, clocks or heat. "
        )
        yield Notice("carry-over", text + "Measure the labels in runs of their own to see each without the others.")


def _not_settled(found: WarmUp) -> str:
    if found.state == "silent":
        return "it gave no answer twice running while it was warmed up, and was not asked further"
    seen = f"the last first packets: {min(found.last_ms):.0f} to {max(found.last_ms):.0f} ms" if found.last_ms else ""
    if found.state == "open":
        return f"the time for its warm-up was over after {found.turns} turns, before it had settled ({seen})"
    return (
        f"it had not settled after {found.turns} warm-up turns ({seen}): either it is not warm, or its latency is "
        "unsteady. Compare its turns at the beginning with later ones, or ask for more with --warmup N"
    )


def _shift(found: Estimate) -> str:
    said = f"{abs(found.value):.2g} ms {'more' if found.value > 0 else 'less'}"
    if found.interval is None:
        return said
    return f"{said} (95 % CI {found.interval.low:.2g} to {found.interval.high:.2g})"


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
