"""The training loop of every neural step: seeded, logged and resumable."""

from __future__ import annotations

import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from firstpacket.bench.errors import MissingDependency, UsageError, WeightsError, install_command

Batch = TypeVar("Batch")

LOG = "log.jsonl"
CHECKPOINT = "checkpoint"
_LINES_EVERY = 20
_LAST_RATE = 0.1
"""Share of the highest learning rate at which the cosine ends."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Length and learning rates. AdamW; linear warm-up, then half a cosine (Loshchilov and Hutter 2017)."""

    steps: int
    learning_rate: float
    warmup: int = 100
    validate_every: int = 0
    """Steps between validations; 0 validates at the end alone."""
    keep_every_s: float = 60
    """Seconds between checkpoints: the most work that an interruption can lose."""
    seed: int = 1
    precision: Literal["no", "bf16"] = "no"
    clip: float = 1.0
    weight_decay: float = 0.01
    accumulate: int = 1
    """Batches whose gradients are accumulated for one step."""

    def rate(self, step: int) -> float:
        """Learning rate of a step, as a share of the highest one."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * done)) / 2

    @property
    def plan(self) -> dict[str, Any]:
        """Everything that determines a training; one started with another plan cannot be resumed."""
        return {name: value for name, value in asdict(self).items() if name not in ("validate_every", "keep_every_s")}


def train(
    folder: Path,
    model: nn.Module,
    batch_of: Callable[[np.random.Generator], Batch],
    loss_of: Callable[[nn.Module, Batch], dict[str, Tensor]],
    validate: Callable[[nn.Module], dict[str, float]],
    schedule: Schedule,
) -> dict[str, float]:
    """Train `model` in place, on every process that accelerate was started with; returns the last validation figures.

    `batch_of` is given a generator seeded by seed, step and process, so a resumed training sees what an undisturbed one
    sees. `loss_of` returns named scalars; `loss` is minimised, the others are logged. Parameters that need no gradient
    stay as they are. `folder` gets `log.jsonl` and, until the end, `checkpoint/`. Raises `MissingDependency` without
    accelerate, `UsageError` when `folder` holds the beginning of a training by another plan, and `WeightsError` when
    the checkpoint's progress cannot be read.
    """
    accelerator = _accelerator()
    learning = [part for part in model.parameters() if part.requires_grad]
    optimiser = torch.optim.AdamW(
        _groups(learning, schedule.weight_decay), lr=schedule.learning_rate, betas=(0.9, 0.98)
    )
    prepared, optimiser = accelerator.prepare(model, optimiser)
    folder.mkdir(parents=True, exist_ok=True)
    first, seconds = _resumed(accelerator, folder / CHECKPOINT, schedule)
    log = _Log(folder / LOG, first, seconds, accelerator.is_main_process)
    kept = time.monotonic()
    figures: dict[str, float] = {}
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * schedule.rate(step)
        log.add(_step(accelerator, prepared, optimiser, learning, batch_of, loss_of, schedule, step))
        last = step + 1 == schedule.steps
        if last or (schedule.validate_every and (step + 1) % schedule.validate_every == 0):
            figures = _validated(accelerator, prepared, validate)
        log.write(step + 1, schedule.learning_rate * schedule.rate(step), figures, last)
        figures = figures if last else {}
        if not last and time.monotonic() - kept > schedule.keep_every_s:
            _keep(accelerator, folder / CHECKPOINT, {"step": step + 1, "seconds": log.seconds, "plan": schedule.plan})
            kept = time.monotonic()
    if first >= schedule.steps:
        figures = _validated(accelerator, prepared, validate)
    return figures


def finished(folder: Path) -> None:
    """Remove the checkpoint: the step's result is on disk."""
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Lines of a step's log: step, seconds, learning rate, mean losses since the line before, validation figures."""
    path = folder / LOG
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        yield json.loads(line)


def seconds_of(folder: Path) -> float:
    """Seconds that a step's training took, resumed parts together."""
    return max((float(line["seconds"]) for line in read_log(folder)), default=0.0)


def _accelerator() -> Any:
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise MissingDependency(f"Training needs accelerate. Install it with: {install_command('train')}") from error
    return Accelerator()  # its own mixed precision could not change between the steps of one process


def _groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices decay; biases and norms do not."""
    return [
        {"params": [part for part in parameters if part.dim() > 1], "weight_decay": decay},
        {"params": [part for part in parameters if part.dim() <= 1], "weight_decay": 0.0},
    ]


def _step(
    accelerator: Any,
    model: nn.Module,
    optimiser: Any,
    learning: list[nn.Parameter],
    batch_of: Callable[[np.random.Generator], Batch],
    loss_of: Callable[[nn.Module, Batch], dict[str, Tensor]],
    schedule: Schedule,
    step: int,
) -> dict[str, float]:
    model.train()
    random = np.random.default_rng([schedule.seed, step, accelerator.process_index])
    torch.manual_seed(int(random.integers(1 << 62)))
    total: dict[str, float] = {}
    for part in range(schedule.accumulate):
        batch = batch_of(random)
        with _joined_at_the_end(accelerator, model, part + 1 == schedule.accumulate):
            with _in(schedule.precision, accelerator.device.type):
                losses = loss_of(model, batch)
            accelerator.backward(losses["loss"] / schedule.accumulate)
        for name, value in losses.items():
            total[name] = total.get(name, 0.0) + float(value.detach()) / schedule.accumulate
    accelerator.clip_grad_norm_(learning, schedule.clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return total


@contextmanager
def _in(precision: str, device: str) -> Iterator[None]:
    """Norms keep their weights in float32 whatever the rest works in, which torch would warn of as slow."""
    with warnings.catch_warnings(), torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")
        yield


@contextmanager
def _joined_at_the_end(accelerator: Any, model: nn.Module, last: bool) -> Iterator[None]:
    """Make processes exchange gradients once per step, not once per batch."""
    if last:
        yield
    else:
        with accelerator.no_sync(model):
            yield


def _validated(
    accelerator: Any, model: nn.Module, validate: Callable[[nn.Module], dict[str, float]]
) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        return validate(accelerator.unwrap_model(model))


def _resumed(accelerator: Any, checkpoint: Path, schedule: Schedule) -> tuple[int, float]:
    """Load the checkpoint's state; returns completed steps and seconds."""
    progress = checkpoint / "progress.json"
    if not progress.exists():
        return 0, 0.0
    step, seconds, begun = _progress(progress)
    other = [
        f"{name} {begun.get(name)}, now {value}" for name, value in schedule.plan.items() if begun.get(name) != value
    ]
    if other:
        raise UsageError(
            f"{checkpoint} was started with other options: {'; '.join(other)}. Use those to resume from step {step}, "
            "or delete that folder to start over."
        )
    accelerator.load_state(str(checkpoint))
    return step, seconds


def _progress(path: Path) -> tuple[int, float, dict[str, Any]]:
    """Completed steps and seconds, and the plan they followed. Raises `WeightsError`."""
    try:
        done = json.loads(path.read_text("utf-8"))
        return int(done["step"]), float(done["seconds"]), dict(done["plan"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(
            f"{path} cannot be resumed ({type(error).__name__}: {error}). Delete {path.parent} to start this step over."
        ) from error


def _keep(accelerator: Any, checkpoint: Path, progress: dict[str, Any]) -> None:
    """Write the state next to the last one, then replace it: an interruption loses neither."""
    fresh = checkpoint.with_name(f"{checkpoint.name}.new")
    accelerator.save_state(str(fresh), safe_serialization=True)
    if accelerator.is_main_process:
        (fresh / "progress.json").write_text(json.dumps(progress), "utf-8")
        shutil.rmtree(checkpoint, ignore_errors=True)
        fresh.rename(checkpoint)
    accelerator.wait_for_everyone()


class _Log:
    """Mean losses since the last line, every few steps and at every validation."""

    def __init__(self, path: Path, first: int, seconds: float, writes: bool) -> None:
        self._path, self._writes = path, writes
        self._before, self._began = seconds, time.monotonic()
        self._sums: dict[str, float] = {}
        self._steps = 0
        if writes:
            kept = [line for line in read_log(path.parent) if line["step"] <= first]
            path.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a stop included."""
        return self._before + time.monotonic() - self._began

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1

    def write(self, step: int, rate: float, figures: dict[str, float], last: bool) -> None:
        if not (figures or last or step % _LINES_EVERY == 0):
            return
        means = {name: value / self._steps for name, value in self._sums.items()}
        self._sums, self._steps = {}, 0
        line = {"step": step, "seconds": round(self.seconds, 1), "learning_rate": rate, **means, **figures}
        if self._writes:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
