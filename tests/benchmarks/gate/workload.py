"""Pipelines with a known amount of real work, for judging the gate.

`short` is a chain of matrix products; `padded` is `direct` with products before it, and `first` the same, ended after
its first packet. All record the CPU time of the process from the end of speech to the first packet, in ns, as the text
`cpu`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Packet, Pipeline, Speech, Stage
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct import Direct

SIZE = 256
PRODUCTS = {"short": 200, "padded": 0, "first": 0}
"""Products a turn, by pipeline."""
SLOWER = {"short": 210, "padded": 23, "first": 23}
"""With about 5 % more work: a product takes about 0.22 ms on the machine of the recordings."""


class Products:
    """A matrix that is multiplied by an orthogonal one again and again, so that its values keep their size."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        start, turn = (random.standard_normal((SIZE, SIZE)) for _ in range(2))
        self._start = start.astype(np.float32)
        self._turn = np.linalg.qr(turn)[0].astype(np.float32)

    def multiply(self, times: int) -> None:
        """Do the work."""
        value = self._start
        for _ in range(times):
            value = value @ self._turn


class Short(Pipeline):
    """One stage of matrix products."""

    declaration = Declaration(
        name="short",
        kind="direct",
        summary="A chain of matrix products.",
        stages=(Stage("encoder", "listen"),),
        options=(Option("products", PRODUCTS["short"], "how many"),),
    )

    def load(self) -> None:
        """Make the matrices."""
        self._products = Products()

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Multiply, then answer."""
        heard = speech.whole()
        began_ns = time.process_time_ns()
        with trace.stage("encoder"):
            self._products.multiply(int(self.settings.number("products")))
        trace.text("cpu", str(time.process_time_ns() - began_ns))
        yield Packet(heard, speech.sample_rate, after=trace.hand_off("encoder"))


class Padded(Direct):
    """`direct` with matrix products before it begins."""

    name = "padded"

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """That of `direct`, with the number of products."""
        declared = Direct.declare({name: value for name, value in chosen.items() if name != "products"})
        products = Option("products", PRODUCTS[cls.name], "how many")
        return replace(declared, name=cls.name, options=(*declared.options, products))

    def load(self) -> None:
        """Also make the matrices."""
        super().load()
        self._products = Products()

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Multiply, then answer."""
        speech.whole()
        began_ns = time.process_time_ns()
        self._products.multiply(int(self.settings.number("products")))
        packets = super().respond(speech, trace)
        first = next(packets)
        trace.text("cpu", str(time.process_time_ns() - began_ns))
        yield first
        yield from packets


class First(Padded):
    """`padded` up to its first packet."""

    name = "first"

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer, up to the first packet."""
        packets = super().respond(speech, trace)
        yield next(packets)
        packets.close()
