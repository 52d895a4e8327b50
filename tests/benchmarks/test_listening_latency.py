"""Latency of the direct pipeline against the formula of its parts, and against the length of the clip.

With D of speech in blocks of B, the last of which is r = D - B (⌈D / B⌉ - 1) long, n embeddings, and k tokens until
there are Ω units:

    L(B, D) = T_feat(r) + T_enc(r | D) + T_ad(n) + T_prefill(n + tail | cache)
              + (k - 1) T_decode + k T_units + T_voc(Ω) + T_copy

For `full`, r is 30 s whatever D is. Each term is timed alone, over and over, in alternation with whole turns. What the
formula leaves out is work between the parts, and that a part comes back to caches that the others have used.
`OMP_WAIT_POLICY=PASSIVE make bench` prints a line per comparison; nothing is asserted of times.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

torch = pytest.importorskip("torch")

from firstpacket.bench.corpus.utterance import Utterance  # noqa: E402
from firstpacket.bench.metrics.definitions import HEADLINE  # noqa: E402
from firstpacket.bench.options import Options, PipelineChoice, parse_pipeline  # noqa: E402
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples  # noqa: E402
from firstpacket.bench.run.resolve import resolve_one  # noqa: E402
from firstpacket.bench.stats.bootstrap import Interval  # noqa: E402
from firstpacket.bench.stats.quantiles import median  # noqa: E402
from firstpacket.bench.stats.regression import line  # noqa: E402
from firstpacket.bench.timing.clock import NS_PER_MS, MonotonicClock  # noqa: E402
from firstpacket.bench.timing.trace import Trace  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.encoder import EncoderCache  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.listening import BlockListener  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Turn  # noqa: E402
from firstpacket.pipelines.direct.plugin import Direct  # noqa: E402
from firstpacket.pipelines.models.kv_cache import KVCache  # noqa: E402
from firstpacket.pipelines.tools.roofline.turns import LoadedSystem  # noqa: E402

pytestmark = pytest.mark.timeout(3600)
MODEL = "direct,weights=dummy,max-new-tokens=3"
CONTEXTS = {"full": "", "100 ms": "100", "500 ms": "500", "2000 ms": "2000"}
SPEECH_S = (1.25, 3.25, 9.75)
LENGTHS, ROUNDS = 40, 5
UNITS, TOKENS = 10, 2
"""In the first packet, and the text tokens until then, with these weights."""
CLOCK = MonotonicClock()
Say = Callable[[str], None]


@pytest.fixture
def say(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a line, and keeps it with the benchmark."""

    def print_line(text: str) -> None:
        benchmark.extra_info[str(len(benchmark.extra_info))] = text
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return print_line


@pytest.fixture(scope="module")
def systems() -> Iterator[list[LoadedSystem]]:
    loaded = [LoadedSystem(resolve_one(choice, Options(device="cpu")).system) for choice in map(chosen, CONTEXTS)]
    yield loaded
    for system in loaded:
        system.close()


def test_the_formula(benchmark: BenchmarkFixture, say: Say, systems: list[LoadedSystem]) -> None:
    """Takes minutes: a turn takes as long as listening to the whole clip, and there are many turns."""
    clips = [clip(seconds) for seconds in SPEECH_S]

    def rounds() -> dict[tuple[str, float], list[tuple[float, dict[str, float]]]]:
        taken = defaultdict(list)
        for _ in range(ROUNDS):
            for system, (seconds, spoken) in product(systems, zip(SPEECH_S, clips, strict=True)):
                assistant = cast(Direct, system._pipeline)._ready().assistant
                whole = first_packet_ms(system, spoken)
                taken[system.label, seconds].append((whole, parts_alone(assistant, spoken.speech())))
        return taken

    for (label, seconds), taken in benchmark.pedantic(rounds, rounds=1).items():
        ratios = [whole / sum(parts.values()) for whole, parts in taken]
        terms = {stage: median([parts[stage] for _, parts in taken]) for stage in taken[0][1]}
        say(
            f"{label}, {seconds} s: {median([whole for whole, _ in taken]):.1f} ms, {median(ratios):.2f} times "
            f"({min(ratios):.2f} to {max(ratios):.2f}) the formula's: "
            + " + ".join(f"{stage} {ms:.1f}" for stage, ms in terms.items())
        )


def test_the_slope_against_the_length_of_the_clip(
    benchmark: BenchmarkFixture, say: Say, systems: list[LoadedSystem]
) -> None:
    """Lengths are random, so that the last block's length does not depend on them. Takes a minute, as the other."""
    seconds = np.random.default_rng(0).uniform(1, 10, LENGTHS).tolist()

    def turns() -> list[list[float]]:
        return [[first_packet_ms(system, clip(each)) for system in systems] for each in seconds]

    taken = benchmark.pedantic(turns, rounds=1)
    for system, ms in zip(systems, zip(*taken, strict=True), strict=True):
        found = line(seconds, ms)
        assert found is not None
        ends = cast(Interval, found.slope.interval)
        say(
            f"{system.label}: {found.slope.value:+.2f} ms ({ends.low:+.2f} to {ends.high:+.2f}, {ends.level:.0%}) "
            f"per second of speech; {found.at_middle:.1f} ms at {found.middle:.1f} s, {LENGTHS} clips"
        )


def chosen(label: str) -> PipelineChoice:
    block = CONTEXTS[label]
    return parse_pipeline(f"{label}={MODEL}" + (f",encoder-context=streaming,encoder-block={block}" if block else ""))


def clip(seconds: float) -> Utterance:
    noise = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32) * np.float32(0.05)
    return Utterance(f"noise of {seconds:.2f} s", noise, "", seconds * 1000, "annotated")


def first_packet_ms(system: LoadedSystem, spoken: Utterance) -> float:
    return system.turn(spoken).figures[HEADLINE] / NS_PER_MS


@torch.inference_mode()
def parts_alone(assistant: Assistant, speech: Samples) -> dict[str, float]:
    """ms of each term."""
    ms: dict[str, float] = {}
    assistant.forget()
    listener, choices = assistant.listener, assistant.plan.choices
    if isinstance(listener, BlockListener):
        encoder = listener._encoder
        blocks = encoder.blocks()
        for block in blocks.complete([speech]):
            assistant.model.llm.remember(encoder.embeddings(block, Trace(CLOCK)), assistant.text_cache)
        last = blocks.rest()
        assert last is not None, "a clip that ends with a block leaves nothing"
        embeds = alone(assistant, ms, lambda turn: encoder.embeddings(last, turn._trace))
    else:
        embeds = alone(assistant, ms, lambda turn: listener.listen([speech], turn._trace))
    choices.begin()
    hidden, token = alone(assistant, ms, lambda turn: turn._prefill(embeds))
    alone(assistant, ms, lambda turn: turn._decode_speech(hidden, token))
    alone(assistant, ms, lambda turn: turn._decode_text(token))
    wave = alone(assistant, ms, lambda turn: turn._vocode(first_chunk(turn)))
    alone(assistant, ms, lambda turn: turn._packet(wave))
    assistant.forget()
    return {
        stage: each * {"speech_decoder": TOKENS, "llm.decode": TOKENS - 1}.get(stage, 1) for stage, each in ms.items()
    }


def alone(assistant: Assistant, ms: dict[str, float], work: Callable[[Turn], Any]) -> Any:
    """Do a part of a turn twice, from the same caches, and add the stages of the second time to `ms`.

    The caches are left as the part leaves them.
    """
    caches: list[KVCache | EncoderCache] = [assistant.text_cache, assistant.speech_cache]
    if isinstance(assistant.listener, BlockListener):
        caches.append(assistant.listener._encoder.cache)
    used = [cache.used for cache in caches]
    for _ in range(2):
        for cache, before in zip(caches, used, strict=True):
            cache.used = before
        trace = Trace(CLOCK)
        result = work(Turn(assistant, trace))
    for span in trace.finish().spans:
        ms[span.stage] = (span.end_ns - span.start_ns) / NS_PER_MS
    return result


def first_chunk(turn: Turn) -> list[int]:
    """Ω units, as many as the first chunk has with these weights."""
    turn.chunker.push(list(range(UNITS)))
    chunk = turn.chunker.due(False)
    assert chunk is not None
    return chunk
