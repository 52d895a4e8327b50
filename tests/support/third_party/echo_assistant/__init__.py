"""A pipeline from elsewhere: one class and one entry point, without a change to this tree."""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.pipeline import Declaration, Option, Packet, Pipeline, Speech, Stage
from firstpacket.bench.timing.trace import Trace


class Echo(Pipeline):
    declaration = Declaration(
        name="echo",
        kind="direct",
        summary="Repeats what it heard.",
        stages=(Stage("encoder", "listen"), Stage("vocoder", "speak")),
        options=(Option("gain", 1.0, "factor on the samples"),),
        install="pip install echo-assistant",
    )

    def load(self) -> None:
        self.gain = self.settings.number("gain")

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        with trace.stage("encoder"):
            samples = speech.whole()
        heard = trace.hand_off("encoder")
        with trace.stage("vocoder", after=heard):
            said = samples * self.gain
        yield Packet(said, speech.sample_rate, after=trace.hand_off("vocoder"))
