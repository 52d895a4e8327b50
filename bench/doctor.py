"""What this machine is, what will run on it and what will not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench import catalogue, environment

Verdict = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    verdict: Verdict
    subject: str
    text: str


def diagnose() -> tuple[Finding, ...]:
    """Look at machine, GPU, packages and plugins. Imports no model library here (torch is asked in its own process)."""
    return (*_machine(), *_gpu(), *_packages(), *_plugins())


def _machine() -> list[Finding]:
    facts = environment.facts({})
    findings = [
        Finding("ok", "machine", f"{facts['cpu']}, {facts['cores_usable']} usable cores, {facts['memory_mib']} MiB"),
        Finding("ok", "system", f"{facts['os']}, Python {facts['python']}"),
    ]
    load, cores = float(facts["load_1min"] or 0), int(facts["cores_usable"] or 1)
    if load > 0.5 * cores:
        text = (
            f"load is {load} on {cores} cores: other work will show in the figures. Stop it, or expect wide intervals."
        )
        findings.append(Finding("note", "load", text))
    if facts["governor"] not in (None, "performance"):
        text = (
            f"CPU governor is {facts['governor']}: clocks will wander. As root: cpupower frequency-set -g performance"
        )
        findings.append(Finding("note", "governor", text))
    return findings


def _gpu() -> list[Finding]:
    gpus = environment.gpus()
    if not gpus:
        return [Finding("note", "GPU", "NVML sees none: pipelines run on the CPU; --device cuda will be refused.")]
    findings = [
        Finding("ok", f"GPU {gpu.index}", f"{gpu.name}, {gpu.memory_mib} MiB, driver {gpu.driver}") for gpu in gpus
    ]
    if environment.cuda_usable():
        findings.append(Finding("ok", "CUDA", "torch can use it"))
    else:
        text = "torch is missing or is a CPU build: it cannot use the GPU. Install a CUDA build (pytorch.org)."
        findings.append(Finding("missing", "CUDA", text))
    return findings


def _packages() -> list[Finding]:
    versions = environment.package_versions()
    return [Finding("ok", "packages", ", ".join(f"{name} {version}" for name, version in versions.items()))]


def _plugins() -> list[Finding]:
    findings = []
    for entry in catalogue.catalogue():
        if entry.installed:
            findings.append(Finding("ok", f"{entry.group} {entry.name}", "will run"))
        elif entry.install:
            text = f"will not run: of {entry.needs} something is not installed. Install it with: {entry.install}"
            findings.append(Finding("missing", f"{entry.group} {entry.name}", text))
        else:
            findings.append(Finding("missing", f"{entry.group} {entry.name}", entry.summary))
    return findings
