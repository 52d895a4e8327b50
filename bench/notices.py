"""Every warning about how a run was made: what was found, why it matters, what to do. Errors are elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firstpacket.bench.format import amount, counted, number
from firstpacket.bench.metrics import gpu_figures
from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.metrics.order import OrderEffect
from firstpacket.bench.metrics.same_clip import SameClip
from firstpacket.bench.metrics.server import Server
from firstpacket.bench.metrics.usage_limits import explain, explain_unused, what_to_do
from firstpacket.bench.metrics.warmup_decision import WarmUp
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.vocabulary import Flag

WORTH_SAYING = 0.05
"""A flag becomes a notice from this share of a system's measured turns on; tables and JSON count every flag."""
HEAVY_CORES = 0.25
"""Cores that other processes may use at the start of a run without a notice."""
PRESSURE_PERCENT = 1.0
PADDING_MS = 50.0
"""Silence at the beginning of a reply that is worth a notice."""
LITTLE_LEFT = 0.10
MOST_NAMED = 10
"""Turns that a notice names."""

Facts = Mapping[str, OptionValue | None]

ADVICE = {
    Flag.NO_SUCH_START: "Measure from the end of speech (--t0 speech_end), which every turn has",
    Flag.SESSION_RENEWED: "Check which limit of the server ends sessions, such as a maximum duration",
    Flag.THOUGHTS_UNCLEAR: (
        "Start the server with a reasoning parser (vLLM, SGLang: --reasoning-parser), or turn the model's reasoning off"
    ),
    Flag.READ_LATE: "Stop other work on this machine: it makes the server look slower than it is",
    Flag.HOST_BUSY: (
        "Stop them (`bench doctor` names the heavy ones) and measure again, or treat small differences as noise"
    ),
    Flag.STOLEN: "Use a machine without other tenants, or one with dedicated cores",
    Flag.CPU_THROTTLED: "Raise the quota, or assign whole cores instead (docker --cpuset-cpus)",
    Flag.PAGED: "Free memory, or measure fewer systems in one run; if weights are read on first use, warm up longer",
    Flag.GC_PAUSED: "Check which objects the pipeline allocates in every turn and never releases",
    Flag.GPU_THROTTLED: (
        "Check its cooling and power limit (nvidia-smi -q -d PERFORMANCE), or lock its clocks (nvidia-smi -lgc)"
    ),
    Flag.GPU_SHARED: "Stop it (nvidia-smi names it), or choose another GPU with --device cuda:N",
    Flag.GPU_UNREAD: "Run nvidia-smi as the same user in the same container to see why",
}
"""What to do about each flag that becomes a notice."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning: what it is about, in a word or two, and the whole of it in a sentence or two."""

    subject: str
    text: str


def of_run(run: Run) -> tuple[Notice, ...]:
    """All of a stored run: of its machine at every start, and of its turns."""
    facts = {notice: None for each in run.segments for notice in of_machine(each.environment, run.manifest.threads)}
    return (
        *of_limits(run),
        *facts,
        *of_turns_ended_early(run),
        *of_systems(run),
        *of_stages(run),
        *of_turns(run.turns),
        *of_profiles(run.turns),
    )


def of_limits(run: Run) -> Iterator[Notice]:
    """About the usage limit that ended the run, and limits that apply to no system."""
    if run.limit is not None:
        advice = what_to_do(run.limit, None if run.manifest.replicated else run.path)
        yield Notice("limit", f"{explain(run.limit)}. {advice}")
    if any(each.usage_limits is not None and not each.usage_limits.systems for each in run.segments):
        yield Notice("limit", f"{explain_unused(run.manifest.options)}.")


def of_turns_ended_early(run: Run) -> Iterator[Notice]:
    """Of turns that end after their first packet: what is missing, and what it changes for servers."""
    if not run.manifest.leaves_early:
        return
    text = "turns ended after their first packet (--leave-after), so figures that need whole replies are n/a: first "
    text += "audible sample, length, stalls, quality. "
    of_a_gate = "A gate measures whole turns if one of its limits needs them."
    text += of_a_gate if run.manifest.replicated else "Measure without the option to have these."
    yield Notice("turns", text)
    if served := dict.fromkeys(turn.label for turn in run.turns if "llm_ttfb" in turn.figures):
        text = f"{', '.join(served)}: ending a reply early closes the connection to the language model's server. Every "
        text += "turn then opens a new one, which whole turns need not, and the server may be busy with the last reply."
        yield Notice("server", text + " Measure whole turns to have the latency on an open connection.")


def of_systems(run: Run) -> tuple[Notice, ...]:
    """What systems said of themselves when they were loaded, and of servers whose processes cannot be seen."""
    loaded = [facts for segment in run.segments for facts in segment.labels]
    said = {Notice(facts.label, f"{facts.label}: {text}"): None for facts in loaded for text in facts.notices}
    unseen = dict.fromkeys((facts.label, server.url) for facts in loaded for server in facts.servers if not server.pids)
    hidden = (
        f"{label}: the processes of its server {url} cannot be seen by this user (perhaps it runs in a container or as "
        "another user), so their work counts as that of other processes."
        for label, url in unseen
    )
    return (*said, *(Notice("server", text) for text in hidden))


def of_stages(run: Run) -> Iterator[Notice]:
    """Of stages in the traces that their system does not declare; unknown for another version of the code."""
    for system in run.manifest.labels:
        names = {name for turn in run.turns if turn.label == system.label for name in turn.figures}
        traced = {name.split(".", 1)[1].rpartition(".")[0] for name in names if name.startswith("stage.")}
        unknown = sorted(traced - {stage.id for stage in system.stages})
        if unknown and not system.source:
            text = f"{system.label} traces stages that it does not declare ({clean(', '.join(unknown))}): "
            yield Notice("stages", text + "figures of recognisers, language models and voices leave them out.")


def of_machine(facts: Facts, threads: int | None = None) -> Iterator[Notice]:
    """Of a machine's facts (`firstpacket.bench.environment`), and of `threads` per worker on it."""
    governor, quota, cores = facts.get("governor"), _number(facts, "cpu_quota_cores"), _number(facts, "cores_usable")
    if governor not in (None, "performance"):
        text = f"the CPU governor is {governor}: clocks follow the load, so short work runs slower than it could. "
        yield Notice("governor", text + "As root: cpupower frequency-set -g performance.")
    if facts.get("on_battery"):
        yield Notice("battery", "the machine runs on battery, which lowers its clocks. Plug it in.")
    if quota is not None and cores is not None and quota < cores:
        text = (
            f"a CPU quota limits this container to {quota:g} of {cores:g} cores: whenever it runs out, every process "
            "in the container is paused for tens of ms. "
        )
        yield Notice("quota", text + "Pin it to whole cores instead (docker run --cpuset-cpus=0,1, without --cpus).")
    allowed = min((n for n in (cores, quota, _number(facts, "cores_pinned")) if n is not None), default=None)
    if threads is not None and allowed is not None and threads > allowed:
        text = f"{threads} threads per worker on {allowed:g} usable cores slow each other down. "
        yield Notice("threads", text + f"Run with --threads {max(1, int(allowed))}.")
    if (_number(facts, "heavy_cores") or 0) > HEAVY_CORES:
        text = f"other processes were using the CPU: {facts.get('heavy_processes')} of one core. "
        yield Notice("neighbours", text + "Stop them and measure again.")
    if (pressure := _number(facts, "memory_pressure_percent") or 0) > PRESSURE_PERCENT:
        text = f"processes were waiting for memory {pressure:g} % of the time. "
        yield Notice("memory", text + "Close other programs, or use smaller models.")


def of_load(facts: Facts) -> Iterator[Notice]:
    """Of the load before a run adds to it; in a container it may be the only sign of other work on the machine."""
    load, cores = _number(facts, "load_1min") or 0, _number(facts, "cores_usable") or 1
    if load > 0.5 * cores:
        text = f"load is {load:g} on {cores:g} cores: other work will affect the figures. "
        yield Notice("load", text + "Stop it, or expect wide intervals.")


def of_turns(turns: Sequence[Turn]) -> Iterator[Notice]:
    """Of flags that at least `WORTH_SAYING` of a system's measured turns carry."""
    measured = [turn for turn in turns if turn.is_measured]
    totals = Counter(turn.label for turn in measured)
    for flag, advice in ADVICE.items():
        flagged = Counter(turn.label for turn in measured if flag in turn.flags)
        if any(n >= WORTH_SAYING * totals[label] for label, n in flagged.items()):
            counts = ", ".join(f"{n} of {totals[label]} measured turns of {label}" for label, n in flagged.items())
            yield Notice(flag, f"{flag.meaning} in {counts} (flag {flag}). {advice}.")


def of_profiles(turns: Sequence[Turn]) -> Iterator[Notice]:
    """Of turns under the GPU's profiler whose profile is missing or incomplete."""
    planned = [turn for turn in turns if gpu_figures.is_profiled(turn)]
    blind = Counter((turn.label, turn.reason or turn.outcome) for turn in planned if "gpu_busy" not in turn.figures)
    for (label, why), n in blind.items():
        yield Notice("profiler", f"{label}: no GPU profile of {counted(n, 'profiled turn')}: {why}.")
    lost = Counter({turn.label: 0 for turn in planned})
    for turn in planned:
        lost[turn.label] += int(turn.figures.get("gpu_lost_launches", 0))
    for label, n in (+lost).items():
        yield Notice(
            "profiler", f"the profiler dropped {n} launches of {label}: its GPU busy times are too low by these."
        )


def of_warmth(
    label: str,
    warm_ups: Sequence[WarmUp],
    drift: Drift | None,
    carried: CarryOver | None,
    same: SameClip | None = None,
    order: OrderEffect | None = None,
) -> Iterator[Notice]:
    """About measured turns that were not equally warm, or that other systems affected."""
    cold = [each for each in warm_ups if each.used and each.state != "steady"]
    if cold:
        yield Notice("warm-up", f"{label}: {_not_settled(cold[0])}.")
    if drift is not None and drift.notable:
        text = (
            f"the first {drift.early} measured turns of {label} took {_shift(drift.excess)} than later ones "
            f"({_p(drift.p)}): {_settled(warm_ups)}, or the machine changed{_remembered(same)}. "
        )
        yield Notice("drift", text + "Warm it up longer (--warmup N), and check the other warnings about the machine.")
    if carried is not None and carried.significant:
        largest = carried.largest
        text = (
            f"the first packet of {label} took {_shift(largest.difference)} in the {largest.difference.n} of "
            f"{counted(carried.n, 'turn')} that came right after one of {largest.predecessor} "
            f"({_p(carried.adjusted_p)}): {largest.predecessor} seems to affect the next turn, for example "
            "through caches, clocks or heat. "
        )
        yield Notice("carry-over", text + "Measure each system in its own run to avoid this.")
    if same is not None and same.notable and not (drift is not None and drift.notable):
        text = (
            f"the first packet of {label} took {_times(same.ratio)} as long on clips that it had already had: a cache "
        )
        text += "may remember them, or the system was not warm yet. "
        yield Notice("same clip", text + "To avoid this, measure every clip once (as many --turns as clips).")
    if order is not None and order.notable and not (carried is not None and carried.significant):
        text = (
            f"the first packet of {label} took {_shift(order.later)} when another system had just had the same clip: "
        )
        text += "they may share a server, a cache or a GPU. "
        yield Notice("order", text + "Measure each system in its own run to avoid this.")


def of_server(label: str, found: Server, leading_silence: Estimate | None) -> Iterator[Notice]:
    """About a system's server, as its client saw it."""
    if found.pace is not None and found.pace.paced and found.pace.rtf is not None:
        text = f"the audio of {label} is paced by the server: it comes at the speed of playback (RTF steady "
        yield Notice(
            "pace", text + f"{number(found.pace.rtf.value, 'ratio')}), so how fast it is generated is unknown."
        )
    if leading_silence is not None and leading_silence.value > PADDING_MS:
        text = f"replies of {label} begin with {amount(leading_silence.value, 'ms')} of silence (median): "
        yield Notice(
            "padding",
            text
            + "a listener waits for the first audible sample, not for the first packet. Compare response_latency, too.",
        )
    if found.rate_limit_left is not None and found.rate_limit_left < LITTLE_LEFT:
        text = (
            f"only {amount(found.rate_limit_left, 'share')} of a rate limit of {label}'s server was left: servers may "
        )
        yield Notice("rate limit", text + "slow down or refuse requests near their limits. Set --max-turns-per-minute.")
    if found.sessions is not None and (turns := found.sessions.renewed):
        named = ", ".join(map(str, turns[:MOST_NAMED])) + (", ..." if len(turns) > MOST_NAMED else "")
        text = f"the connection of {label} had ended and was reopened before {counted(len(turns), 'turn')} ({named}): "
        yield Notice("session", text + "these turns start on a fresh session, unlike the others.")


def _remembered(same: SameClip | None) -> str:
    """What else may explain slow early turns."""
    if same is None or not same.notable:
        return ""
    return f", or a cache remembers the clips (on clips that it had already had, {_times(same.ratio)} as long)"


def _times(ratio: Estimate) -> str:
    """`0.620 times (95 % CI 0.580 to 0.660)`."""
    said = f"{number(ratio.value, 'ratio')} times"
    if ratio.interval is None:
        return said
    return f"{said} (95 % CI {number(ratio.interval.low, 'ratio')} to {number(ratio.interval.high, 'ratio')})"


def _not_settled(found: WarmUp) -> str:
    if found.state == "silent":
        return "it failed two warm-up turns in a row, which ended its warm-up"
    seen = (
        f"first packet in the last ones: {min(found.last_ms):.0f} to {max(found.last_ms):.0f} ms"
        if found.last_ms
        else ""
    )
    if found.state == "unsteady":
        return (
            f"its warm-up ran out of time after {counted(found.turns, 'turn')}, before its latency was steady ({seen})"
        )
    return (
        f"its latency was not steady after {counted(found.turns, 'warm-up turn')} ({seen}), so it was measured as it "
        "was. It may have been cold, or its latency may vary that much. Compare its early turns with later ones, or "
        "run more warm-up turns with --warmup N"
    )


def _settled(warm_ups: Sequence[WarmUp]) -> str:
    """Why early turns may differ, given what the warm-up rule said of the system."""
    if warm_ups and all(each.state == "steady" for each in warm_ups if each.used):
        return "it was not warm yet although the warm-up rule judged it steady"
    return "it was not warm yet"


def _shift(found: Estimate) -> str:
    """`80 ms more (95 % CI 62.0 to 95.0 ms)`; bounds of the other sign are negative."""
    sign = 1 if found.value > 0 else -1
    said = f"{amount(sign * found.value, 'ms')} {'more' if found.value > 0 else 'less'}"
    if found.interval is None:
        return said
    low, high = sorted((sign * found.interval.low, sign * found.interval.high))
    return f"{said} (95 % CI {number(low, 'ms')} to {amount(high, 'ms')})"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p {value:.2g}"


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
