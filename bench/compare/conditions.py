"""What a sentence about systems holds for: language models of these sizes, on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firstpacket.bench.format import counted
from firstpacket.bench.pipeline import OptionValue, Weights
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.values import label_weights


def conditions(run: Run, labels: Sequence[str]) -> str:
    """`LLM of 3.2 M parameters, on 2 cores of Some CPU`; the systems are named if their models differ in size.

    What is not known is left out; empty if nothing is.
    """
    sizes = {label: llm.size for label in labels if (llm := language_model(label_weights(run, label))) is not None}
    where = machine(run, labels)
    return ", ".join((*_models(sizes, len(labels)), *([f"on {where}"] if where else [])))


def under(found: str, sentence: str) -> str:
    """A sentence with the conditions under which it holds, if they are known."""
    return f"{sentence} [{found}]" if found else sentence


def language_model(weights: Sequence[Weights]) -> Weights | None:
    """The language model; None if no weights are declared as one, or its size is unknown."""
    return next((each for each in weights if each.part == "llm" and each.parameters), None)


def machine(run: Run, labels: Sequence[str]) -> str:
    """Where these systems computed: `2 cores of Some CPU`, `Some GPU`; empty if unknown, as for a server."""
    devices = {plan.device for plan in run.manifest.labels if plan.label in labels and plan.kind != "remote"}
    found: dict[str, None] = {}
    for segment in run.segments:
        for device in sorted(devices):
            found[_gpu(segment.environment) if device.startswith("cuda") else _cpu(segment.environment)] = None
    return " and ".join(filter(None, found))


def _models(sizes: Mapping[str, str], labels: int) -> list[str]:
    if len(sizes) == labels and len(set(sizes.values())) == 1:
        return [f"LLM of {next(iter(sizes.values()))} parameters"]
    return [f"{label}: LLM of {size} parameters" for label, size in sizes.items()]


def _gpu(environment: Mapping[str, OptionValue | None]) -> str:
    return str(environment.get("gpu0") or "")


def _cpu(environment: Mapping[str, OptionValue | None]) -> str:
    cpu, cores = environment.get("cpu"), environment.get("cores_usable")
    if not cpu or not isinstance(cores, int):
        return str(cpu or "")
    return f"{counted(cores, 'core')} of {cpu}"
