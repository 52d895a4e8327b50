"""What chaining adds to the engines themselves, up to the first packet: real engines, interleaved in one run.

`OMP_WAIT_POLICY=PASSIVE make bench` prints a line per chain. The goal is printed, not asserted: a busy machine is no
fault of the code.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.omni_speed import ratio

from firstpacket.bench import registry
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.chains import CHAINS, Engines
from firstpacket.pipelines.cascade.phrases import Phrases, Whole

for module in ("pocketsphinx", "torch", "transformers", "espeakng_loader"):
    pytest.importorskip(module)

PAIRS, GOAL = 40, 0.02


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    _, options = registry.check_options("cascade", {"weights": "dummy"})
    settings = Settings(options=options)
    made = [registry.engine(role, settings.text(role))(settings) for role in ("asr", "llm", "tts")]
    for engine in made:
        engine.load()
    yield Engines(*made)
    for engine in made:
        engine.close()


@functools.cache
def first_clip() -> Samples:
    return load_corpus("demo", limit=1).utterances[0].speech()


def heard() -> HeardSpeech:
    """The first clip of the demo corpus, at one instant."""
    speech = HeardSpeech(MonotonicClock(), "en")
    speech.hear(first_clip())
    speech.end()
    return speech


def bare(engines: Engines, tokens: int) -> None:
    """One engine after the other, no further than the first packet needs."""
    trace = Trace(MonotonicClock())
    transcript = engines.asr.transcribe(heard(), trace)
    pieces = engines.llm.reply(transcript, trace)
    phrase = "".join(piece for _, piece in zip(range(tokens), pieces, strict=False))
    sound = engines.tts.speak(phrase, trace)
    next(sound)
    sound.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("chain", CHAINS)
def test_chaining_costs_little(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], engines: Engines, chain: str
) -> None:
    tokens = tokens_of_first_phrase(engines, chain)
    bare(engines, tokens)
    to_first_packet(engines, chain)
    taken = benchmark.pedantic(first_packets, (engines, chain, tokens), rounds=1)
    value, low, high, kind = ratio(*taken)
    line = f"{chain}: {value - 1:+.2%} ({low - 1:+.2%} to {high - 1:+.2%}, {kind}; goal under {GOAL:.0%})"
    benchmark.extra_info["overhead"] = line
    with capsys.disabled():
        sys.stdout.write(f"\n{line}")


def first_packets(engines: Engines, chain: str, tokens: int) -> list[list[float]]:
    """Seconds of both ways, interleaved; what a chain does after its first packet is not counted."""
    taken: list[list[float]] = [[], []]
    for pair in range(PAIRS):
        for way in (0, 1) if pair % 2 else (1, 0):
            start = time.perf_counter()
            if way == 0:
                bare(engines, tokens)
                taken[way].append(time.perf_counter() - start)
            else:
                taken[way].append(to_first_packet(engines, chain))
    return taken


def to_first_packet(engines: Engines, chain: str) -> float:
    """Seconds to the first packet of a chain; its thread is then stopped."""
    start = time.perf_counter()
    packets = CHAINS[chain](engines, heard(), Trace(MonotonicClock()), "clause")
    next(packets)
    seconds = time.perf_counter() - start
    packets.close()  # type: ignore[attr-defined]
    return seconds


def tokens_of_first_phrase(engines: Engines, chain: str) -> int:
    """How many pieces the language model must give before the first phrase is certain."""
    splitter = Whole() if chain == "sequential" else Phrases("clause")
    trace = Trace(MonotonicClock())
    pieces = list(engines.llm.reply(engines.asr.transcribe(heard(), trace), trace))
    complete = (number for number, piece in enumerate(pieces, start=1) if splitter.push(piece))
    return next(complete, len(pieces))
