"""The operators that a turn launches, counted by stage and kind in an ordinary turn, outside all timing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Kind = Literal["matrix", "view", "other"]

KINDS: Mapping[Kind, Callable[[Tensor], object]] = {
    "matrix": lambda one: torch.nn.functional.linear(one, one),
    "view": lambda one: one.view(1),
    "other": lambda one: one + one,
}
"""The smallest operator of each kind, as a call on a tensor of one value (1, 1)."""

MATRIX = ("addmm", "mm", "bmm", "baddbmm", "addmv", "mv", "linear", "convolution", "scaled_dot_product", "mkldnn_rnn")
"""How the names of operators begin that multiply matrices, without leading underscores."""


class OperatorCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what torch dispatches on this thread from the end of the user's speech to the first packet, in a turn."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stages = [""]
        self._counting = False
        self.counts: dict[str, Counter[Kind]] = {}
        """Operators by stage and kind; those of no stage under the empty name."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the body as work of a stage; what `Trace` takes as `ranges`."""
        self._stages.append(name)
        try:
            yield
        finally:
            self._stages.pop()

    def speech_over(self) -> None:
        """The last of the user's speech was delivered: counting begins."""
        self._counting = True

    def first_packet(self) -> None:
        """The first packet has arrived: counting is over."""
        self._counting = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operator, and run it."""
        if self._counting:
            self.counts.setdefault(self._stages[-1], Counter())[kind_of(func)] += 1
        return func(*args, **(kwargs or {}))


def kind_of(operator: Any) -> Kind:
    """The kind of an operator, such as `torch.ops.aten.addmm.default`."""
    if operator.is_view:
        return "view"
    name = operator.overloadpacket.__name__.lstrip("_")
    return "matrix" if name.startswith(MATRIX) else "other"
