"""A run as OpenMetrics text (1.0): gauges by label, times in seconds.

Gauges, not summaries: a summary's sum and quantiles must not be negative, but a packet before the end of speech is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.contents import Figure, LabelSummary, Summary, Unit
from firstpacket.bench.summary.summarise import summarise

UNITS: dict[Unit, tuple[str, float]] = {
    "ms": ("seconds", 0.001),
    "ratio": ("ratio", 1.0),
    "count": ("", 1.0),
    "dB": ("decibels", 1.0),
    "per_s": ("per_second", 1.0),
    "J": ("joules", 1.0),
}
"""A unit's name in OpenMetrics, and the factor for values."""
OF_A_STAGE = re.compile(r"stage\.(?P<stage>.+)\.(?P<side>host|gpu)")


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family; its name ends in the unit, if it has one."""

    name: str
    help: str
    unit: str = ""
    type: Literal["gauge", "info"] = "gauge"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, and the labels that identify it within its family."""

    family: Family
    labels: dict[str, str]
    value: float


RUN = Family("firstpacket_run", "What was measured.", type="info")
LABEL = Family("firstpacket_label", "What stood under a label.", type="info")
TURNS = Family("firstpacket_turns", "Turns by what came of them.")
PATH = Family("firstpacket_path_seconds", "Mean part of the critical path to the first packet.", "seconds")
ROLE = Family("firstpacket_path_role_seconds", "The same by role.", "seconds")


def openmetrics(run: Run) -> str:
    """The exposition, ending in `# EOF`. Missing figures are left out. Raises as `summarise` does."""
    summary = summarise(run)
    families: dict[Family, list[str]] = {}
    for sample in (_run(summary), *(sample for label in summary.labels for sample in _label(label))):
        families.setdefault(sample.family, []).append(_line(sample))
    return "".join(_head(family) + "".join(lines) for family, lines in families.items()) + "# EOF\n"


def _run(summary: Summary) -> Sample:
    said = {"run": summary.run, "created": summary.created, "corpus": summary.corpus}
    said |= {"corpus_sha256": summary.corpus_sha256, "input": summary.input, "t0": summary.t0}
    said |= {"valid": "false" if summary.invalid else "true"}
    return Sample(RUN, said, 1)


def _label(label: LabelSummary) -> Iterator[Sample]:
    own = {"label": label.label}
    weights = "dummy" if label.dummy else "real"
    said = {"pipeline": label.pipeline, "device": label.device, "dtype": label.dtype, "weights": weights}
    yield Sample(LABEL, own | said, 1)
    for phase, outcomes in label.outcomes.items():
        for outcome, n in outcomes.items():
            yield Sample(TURNS, own | {"phase": phase, "outcome": outcome}, n)
    for figure in label.figures.values():
        yield from _figure(figure, own)
    for part in label.path.parts:
        of = {"stage": part.stage, "role": part.role, "kind": part.kind}
        yield from _estimate(PATH, own | of, part.mean, "mean", 0.001)
    for role, mean in label.path.roles.items():
        yield from _estimate(ROLE, own | {"role": role}, mean, "mean", 0.001)


def _figure(figure: Figure, own: dict[str, str]) -> Iterator[Sample]:
    unit, scale = UNITS[figure.unit]
    name, title = figure.metric, figure.title
    if of := OF_A_STAGE.fullmatch(figure.metric):
        name, title, own = f"stage_{of['side']}", f"Work of a stage ({of['side']})", own | {"stage": of["stage"]}
    family = Family("_".join(filter(None, ("firstpacket", name, unit))), title, unit)
    if figure.p50 is not None:
        yield from _estimate(family, own, figure.p50, "p50", scale)
    if figure.mean is not None:
        yield Sample(family, own | {"statistic": "mean"}, figure.mean * scale)
    for statistic, percentile in figure.percentiles.items():
        if percentile.value is not None:
            yield Sample(family, own | {"statistic": statistic}, percentile.value * scale)


def _estimate(family: Family, own: dict[str, str], found: Estimate, statistic: str, scale: float) -> Iterator[Sample]:
    yield Sample(family, own | {"statistic": statistic}, found.value * scale)
    if found.interval is not None:
        yield Sample(family, own | {"statistic": f"{statistic}_low"}, found.interval.low * scale)
        yield Sample(family, own | {"statistic": f"{statistic}_high"}, found.interval.high * scale)


def _head(family: Family) -> str:
    unit = f"# UNIT {family.name} {family.unit}\n" if family.unit else ""
    return f"# TYPE {family.name} {family.type}\n{unit}# HELP {family.name} {_escaped(family.help)}\n"


def _line(sample: Sample) -> str:
    name = sample.family.name + ("_info" if sample.family.type == "info" else "")
    labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
    return f"{name}{{{labels}}} {sample.value!r}\n"


def _escaped(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
