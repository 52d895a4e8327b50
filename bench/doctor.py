"""Diagnosis of this machine: what it is, what will run on it, what will not, and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from firstpacket.bench import catalogue, environment, notices, packages
from firstpacket.bench.host.other_processes import Neighbours

Verdict = Literal["ok", "missing", "note"]
LOOK_S = 0.5
"""For how long the load of other processes is sampled."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    verdict: Verdict
    subject: str
    text: str


def diagnose() -> tuple[Finding, ...]:
    """Check machine, GPU, packages and plugins. Imports no model library (torch is probed in a process of its own)."""
    return (*_machine(), *_gpu(), *_packages(), *of_plugins())


def _machine() -> list[Finding]:
    neighbours = Neighbours()
    facts = environment.facts({})
    findings = [
        Finding("ok", "machine", f"{facts['cpu']}, {facts['cores_usable']} usable cores, {facts['memory_mib']} MiB"),
        Finding("ok", "system", f"{facts['os']}, Python {facts['python']}{_surroundings(facts)}"),
    ]
    time.sleep(LOOK_S)
    facts |= neighbours.facts()
    warnings = (*notices.of_machine(facts), *notices.of_load(facts))
    return findings + [Finding("note", notice.subject, notice.text) for notice in warnings]


def _surroundings(facts: environment.Facts) -> str:
    """Container or virtual machine around this process."""
    container = f", in a container ({facts['container']})" if facts["container"] else ""
    return container + (", on a virtual machine" if facts["virtual_machine"] else "")


def _gpu() -> list[Finding]:
    gpus = environment.gpus()
    if not gpus:
        return [Finding("note", "GPU", "none found by NVML: pipelines run on the CPU, and --device cuda fails.")]
    findings = [
        Finding("ok", f"GPU {gpu.index}", f"{gpu.name}, {gpu.memory_mib} MiB, driver {gpu.driver}") for gpu in gpus
    ]
    if environment.cuda_usable():
        findings.append(Finding("ok", "CUDA", "torch can use it"))
    else:
        text = "torch is missing or is a CPU build, so the GPU cannot be used. Install a CUDA build (pytorch.org)."
        findings.append(Finding("missing", "CUDA", text))
    return findings


def _packages() -> list[Finding]:
    made_of, declarations = zip(*catalogue.declared(), strict=True)
    found = packages.of_harness() | packages.versions(declarations, made_of)
    return [Finding("ok", "packages", ", ".join(f"{name} {version}" for name, version in found.items()))]


def _installed(entry: catalogue.Entry) -> str:
    return "installed; needs a server, which `bench run` checks" if entry.needs_server else "will run"


def of_plugins() -> list[Finding]:
    """What can be named on the command line: whether it will run."""
    findings = []
    for entry in catalogue.catalogue():
        if entry.installed:
            findings.append(Finding("ok", f"{entry.group} {entry.name}", _installed(entry)))
        elif entry.install:
            text = f"will not run: needs {entry.needs}, not all of which is installed. Install it with: {entry.install}"
            findings.append(Finding("missing", f"{entry.group} {entry.name}", text))
        else:
            findings.append(Finding("missing", f"{entry.group} {entry.name}", entry.summary))
    return findings
