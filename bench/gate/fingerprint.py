"""The conditions of a measurement: they must match for two runs of a label to be compared."""

from __future__ import annotations

import hashlib
import json

from firstpacket.bench import registry
from firstpacket.bench.errors import BenchError
from firstpacket.bench.options import rules
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run

Conditions = dict[str, OptionValue | None]
MACHINE = ("cpu", "cores_usable")
VERSION = ("git_revision", "code_revision", "python")


def conditions(run: Run, label: str) -> Conditions:
    """By name: the machine, the input, and the pipeline with the options that differ from its defaults.

    A changed default is part of the change that a gate measures, so it is no condition. Nor is the operating system,
    which may be updated at any time.
    """
    plan = run.plan(label)
    environment = run.segments[0].environment if run.segments else {}
    gpu = plan.device.startswith("cuda")
    machine = [*MACHINE, *(name for name in sorted(environment) if gpu and name.startswith("gpu"))]
    manifest = run.manifest
    return {
        **{name: environment.get(name) for name in machine},
        "corpus sha256": manifest.corpus_sha256,
        "utterances": len(manifest.utterances),
        **{name.replace("_", " "): getattr(manifest.options, name) for name in rules()},
        "pipeline": plan.pipeline,
        "device": plan.device,
        "dtype": plan.dtype,
        **{f"option {name}": value for name, value in sorted(_chosen(plan).items())},
    }


def version(run: Run) -> Conditions:
    """By name: the revision of the code, as far as git knows it, Python, and the packages behind the systems.

    Several values, if they changed while the run was interrupted, are joined.
    """
    found: dict[str, dict[str, None]] = {}
    for segment in run.segments:
        facts = {name: segment.environment.get(name) for name in VERSION} | segment.packages
        for name, value in facts.items():
            found.setdefault(name, {})[f"{value or 'unknown'}"] = None
    return {name: ", then ".join(values) for name, values in found.items()}


def key(found: Conditions) -> str:
    """A short stable hash of conditions."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def unlike(before: Conditions, after: Conditions) -> tuple[str, ...]:
    """What differs, name by name."""
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return tuple(f"{name} ({before.get(name, 'not set')} and {after.get(name, 'not set')})" for name in names)


def _chosen(plan: System) -> dict[str, OptionValue]:
    """The options that differ from the defaults of the installed pipeline; all, if it is not installed."""
    try:
        _, defaults = registry.check_options(plan.pipeline, {})
    except BenchError:
        return dict(plan.options)
    return {name: value for name, value in plan.options.items() if defaults.get(name) != value}
