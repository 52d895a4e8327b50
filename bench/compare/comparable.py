"""Which runs may be compared, and what must match.

Two sets of rules: for the same label over time everything but the code must match; different labels must share the
machine, the recordings and the clock. A mismatch can be allowed by name; name and reason then appear in the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from firstpacket.bench.compare.pairs import clip_by_clip
from firstpacket.bench.errors import InvalidRun, NotComparable, UnknownName
from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.options import rules
from firstpacket.bench.paths import documentation
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import Manifest, System
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.microphone import invalid
from firstpacket.bench.summary.values import label_weights

RULES = {
    "corpus": "the same recordings and texts",
    **{rule.name: rule.why for rule in rules().values()},
    "invalid": "neither run is invalid",
    "cpu": "the same processor and usable cores",
    "gpu": "the same GPUs",
    "driver": "the same GPU driver",
    "pipeline": "the same pipeline",
    "device": "the same device",
    "dtype": "the same number format",
    "options": "the same options",
    "weights": "the same weights",
    "definitions": "figures have the same definitions",
    "work": "replies are about as long",
    "run": "turns come from the same run",
}
"""Every rule, by the name that `--allow` takes; rules of options are defined with their fields."""

WORK = 1.10
"""Largest ratio of reply lengths, as the median over clips: beyond it, one side had more to say, rather than being
slower."""

Side = tuple[Run, str]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What does not match, by the rule's name, and how."""

    rule: str
    reason: str


def over_time(base: Run, other: Run, label: str) -> tuple[Mismatch, ...]:
    """Why a label of two runs must not be compared. Raises `UnknownName` if one run does not have it."""
    plans = (base.plan(label), other.plan(label))
    found = [*_measured_alike(base, other), *_machines(base, other)]
    found += _same_options(base, other, between_labels=False)
    for rule in ("pipeline", "device", "dtype"):
        found += _differ(rule, rule, getattr(plans[0], rule), getattr(plans[1], rule))
    found += [*_options(*plans), *_weights((base, label), (other, label)), *_definitions(base, other)]
    return (*found, *_work(base, other, label))


def side_by_side(base: Side, other: Side) -> tuple[Mismatch, ...]:
    """Why two different labels must not be compared. Raises `UnknownName` for a label that its run does not have."""
    for run, label in (base, other):
        run.plan(label)
    (a, _), (b, _) = base, other
    if a is b:
        return tuple(_invalid(a, "the run"))
    elsewhere = (
        f"the turns come from different runs ('{a.manifest.run}' and '{b.manifest.run}'), so they cannot be paired"
    )
    return (*_measured_alike(a, b), *_machines(a, b), Mismatch("run", elsewhere))


def refuse(mismatches: Iterable[Mismatch], allowed: Collection[str], what: str) -> tuple[str, ...]:
    """The mismatches that `allowed` names. Raises `NotComparable` with all others.

    `what` is the object of that message. Raises `UnknownName` for a name in `allowed` that is no rule.
    """
    for name in allowed:
        if name not in RULES:
            raise UnknownName("rule", name, RULES, f"See {documentation('compare')}.")
    found = list(mismatches)
    if refused := [each for each in found if each.rule not in allowed]:
        rules = ",".join(dict.fromkeys(each.rule for each in refused))
        remedy = "Measure again on a quieter machine" if rules == "invalid" else "Rerun one with the other's settings"
        raise NotComparable(
            f"Cannot compare {what}: {'; '.join(each.reason for each in refused)}. "
            f"{remedy}, or pass --allow {rules} to compare anyway."
        )
    return tuple(f"{each.rule}: {each.reason}" for each in found)


def differences(base: Run, other: Run) -> tuple[str, ...]:
    """Differences in how two runs were measured, regardless of labels."""
    return tuple(each.reason for each in _measured_alike(base, other))


def require_valid(run: Run) -> None:
    """Raises `InvalidRun` with the reasons, and what to do, if the run's figures cannot be used."""
    if reasons := invalid(run):
        raise InvalidRun(
            f"'{run.manifest.run}' is invalid: {'; '.join(reasons)}. The run is kept. Stop other work on this machine "
            "and repeat it, or raise the limit with --microphone-limit-ms."
        )


def _measured_alike(base: Run, other: Run) -> Iterator[Mismatch]:
    a, b = base.manifest, other.manifest
    if a.corpus_sha256 != b.corpus_sha256:
        said = f"the corpora differ (sha256 {a.corpus_sha256[:12]} and {b.corpus_sha256[:12]})"
        yield Mismatch("corpus", said + _drawn_differently(a, b))
    yield from _same_options(base, other, between_labels=True)
    for run in (base, other):
        yield from _invalid(run)


def _drawn_differently(a: Manifest, b: Manifest) -> str:
    """What differs if two runs used other recordings of one large corpus, of which a run loads what it draws."""
    if a.corpus_source != b.corpus_source or {each.id for each in a.utterances} == {each.id for each in b.utterances}:
        return ""
    return f": the runs used other recordings of {a.corpus}; give both the same --turns, --seed and --limit"


def _same_options(base: Run, other: Run, between_labels: bool) -> Iterator[Mismatch]:
    """Options that must be the same, but differ."""
    for name, rule in rules().items():
        a, b = getattr(base.manifest.options, name), getattr(other.manifest.options, name)
        if rule.between_labels == between_labels and a != b:
            yield Mismatch(rule.name, f"{rule.differs} ({name.replace('_', '-')}: {a} and {b})")


def _invalid(run: Run, subject: str = "") -> Iterator[Mismatch]:
    if reasons := invalid(run):
        yield Mismatch("invalid", f"{subject or repr(run.manifest.run)} is invalid: {'; '.join(reasons)}")


def _machines(base: Run, other: Run) -> Iterator[Mismatch]:
    for rule, what, names in (
        ("cpu", "processors", ("cpu", "cores_usable")),
        ("gpu", "GPUs", tuple(f"gpu{number}" for number in range(16))),
        ("driver", "GPU drivers", ("gpu_driver",)),
    ):
        yield from _differ(rule, what, _facts(base, names), _facts(other, names))


def _facts(run: Run, names: tuple[str, ...]) -> str:
    """The distinct values of these facts in the run's segments."""
    said = [
        ", ".join(f"{segment.environment[name]}" for name in names if segment.environment.get(name) is not None)
        for segment in run.segments
    ]
    return "; then ".join(dict.fromkeys(said))


def _differ(rule: str, what: str, a: Any, b: Any) -> Iterator[Mismatch]:
    if a != b:
        yield Mismatch(rule, f"{what} differ ({a or 'unknown'} and {b or 'unknown'})")


def _options(a: System, b: System) -> Iterator[Mismatch]:
    names = sorted(a.options.keys() | b.options.keys())
    changed = [name for name in names if a.options.get(name) != b.options.get(name)]
    if changed:
        said = ", ".join(f"{name} {a.options.get(name)!s} and {b.options.get(name)!s}" for name in changed)
        yield Mismatch("options", f"options of {a.label} differ ({said})")


def _weights(base: Side, other: Side) -> Iterator[Mismatch]:
    a, b = (tuple(map(_known_to_all, label_weights(*side))) for side in (base, other))
    if set(a) != set(b):
        only = [each for each in (*a, *b) if each not in a or each not in b]
        said = ", ".join(f"{each.part} {each.origin} {each.source} {each.size}".rstrip() for each in only)
        yield Mismatch("weights", f"weights of {base[1]} differ ({said})")


def _known_to_all(weights: Weights) -> Weights:
    """Without the detail for people, and with the size rounded to 0.1 M, as in runs of schema 1."""
    size = weights.parameters
    return replace(weights, detail="", parameters=None if size is None else round(size, -5))


def _definitions(base: Run, other: Run) -> Iterator[Mismatch]:
    """Compares versions that both runs record; older runs record none."""
    a, b = ({name: n for each in run.segments for name, n in each.metrics.items()} for run in (base, other))
    changed = [f"{name} {a[name]} and {b[name]}" for name in sorted(a.keys() & b.keys()) if a[name] != b[name]]
    if changed:
        yield Mismatch("definitions", f"definitions changed (versions of {', '.join(changed)}; see `bench recompute`)")


def _work(base: Run, other: Run, label: str) -> Iterator[Mismatch]:
    pairs = clip_by_clip(base, other, label, metric("reply_audio"))
    ratios = [b / a for a, b in zip(pairs.before, pairs.after, strict=True) if a > 0]
    typical = median(ratios) if ratios else 1.0
    if not 1 / WORK <= typical <= WORK:
        yield Mismatch("work", f"replies of {label} are {typical:.2f} times as long in '{other.manifest.run}'")
