"""A decoder's step with fixed shapes, so that a GPU can replay it as one graph instead of kernel by kernel.

The position is a tensor on the device, and attention covers a fixed length with a mask. One recording serves every
position below its length; there are a few lengths, each twice the last, so that short sequences stay cheap. On the CPU
the same step runs eagerly, which is how it is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from firstpacket.pipelines.models.kv_cache import KVCache, Window

SHORTEST = 256
WARM_UP_RUNS = 2
"""Before a recording: libraries choose kernels and take workspaces in the first runs, which must not be recorded."""

Work = Callable[[Tensor, KVCache, Window], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Recording:
    """A captured graph, and the memory in which each replay leaves its results."""

    graph: torch.cuda.CUDAGraph
    outputs: tuple[Tensor, ...]


def lengths(shortest: int, longest: int) -> tuple[int, ...]:
    """256, 512, 1024 and so on, as far as they are from `shortest` on and below `longest`; then `longest`."""
    doubled = (SHORTEST << step for step in range(longest.bit_length()))
    return (*(length for length in doubled if shortest <= length < longest), longest)


class Step:
    """Processes `new` further positions of a cached sequence."""

    def __init__(self, work: Work, given: Tensor, new: int, cache: KVCache, first_end: int) -> None:
        """`given` is an example of the input; `first_end` is where the first step of a sequence ends, at the least."""
        self._work = work
        self._given = torch.zeros_like(given)
        self._new = new
        self._cache = cache
        self._places = torch.arange(new, device=given.device)
        self._lengths = lengths(first_end, cache.length)
        self._recordings: dict[int, Recording] = {}

    def __call__(self, given: Tensor) -> tuple[Tensor, ...]:
        """What `work` returns; a replay's results stay valid until the next one. Nothing is waited for."""
        self._given.copy_(given)
        self._places.copy_(self._cache.next_places(self._new))
        self._cache.used += self._new
        length = next(length for length in self._lengths if length >= self._cache.used)
        recording = self._recordings.get(length)
        if recording is None:
            return self._run(length)
        recording.graph.replay()
        return recording.outputs

    def record(self) -> int:
        """Capture a CUDA graph for every length; returns how many. Raises `RuntimeError` when that cannot be done.

        The cache's places after `used` are overwritten.
        """
        self._places.copy_(self._cache.next_places(self._new))
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_RUNS):
                for length in self._lengths:
                    self._run(length)
        torch.cuda.current_stream().wait_stream(side)
        recordings: dict[int, Recording] = {}
        for length in reversed(self._lengths):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                outputs = self._run(length)
            recordings[length] = Recording(graph, outputs)
        self._recordings = recordings
        return len(recordings)

    def _run(self, length: int) -> tuple[Tensor, ...]:
        return self._work(self._given, self._cache, self._cache.window_at(self._places, length))


def kernels_of(work: Work, compiled: bool) -> Work:
    """The work itself, or compiled by torch.compile."""
    return torch.compile(work, dynamic=False, fullgraph=True) if compiled else work


@dataclass(frozen=True, slots=True)
class Recorded:
    """Steps that replay graphs, or None if capture failed; `notice` says which, for the record of a run."""

    steps: tuple[Step, ...]
    notice: str


@torch.inference_mode()
def recorded(make: Callable[[], tuple[Step, ...]], compiled: bool) -> Recorded:
    """Build steps and capture them. If capture fails, the caller launches kernel by kernel."""
    try:
        steps = make()
        graphs = sum(step.record() for step in steps)
    except Exception as error:  # CUDA, torch.compile and its compilers have no error in common.
        said = f"not captured, launched kernel by kernel: {type(error).__name__}: {error}"
        return Recorded((), said.splitlines()[0])
    return Recorded(steps, f"{graphs} graphs captured{', of compiled kernels' if compiled else ''}")
