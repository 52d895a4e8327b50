"""The direct pipeline against the plain implementation of the same model, on the CPU, interleaved in one run.

`OMP_WAIT_POLICY=PASSIVE make bench` prints a line per comparison. The goals are printed, not asserted: a busy machine
is no fault of the code. What `make test` guards is one ratio at a tiny size.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

from support.omni_speed import (  # noqa: E402
    AUDIO,
    MIDDLE,
    SMALL,
    TINY,
    Ours,
    Plain,
    faster,
    first,
    fixed_labels,
    paired_seconds,
    ratio,
    two_threads,
    whole,
)
from support.plain_omni import Reply, Sizes  # noqa: E402

pytestmark = pytest.mark.timeout(3600)
SIZES = {"S": SMALL, "M": MIDDLE}
TOKENS = 100
HALF = torch.bfloat16
Say = Callable[[str], None]


@pytest.fixture
def say(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a line, and keeps it with the benchmark."""

    def line(text: str) -> None:
        benchmark.extra_info[str(len(benchmark.extra_info))] = text
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return line


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    with two_threads():
        yield


@pytest.mark.parametrize("size", SIZES)
def test_first_packet(benchmark: BenchmarkFixture, say: Say, size: str) -> None:
    labels = fixed_labels(4)
    plain = Plain(SIZES[size], labels)
    plain16 = plain.in_bfloat16()
    ours, ours16, best = Ours(plain, labels, 4), Ours(plain, labels, 4, HALF), Ours(plain, labels, 4, HALF, HALF)
    ways = [plain.chunks, plain16.chunks]
    answers = [lambda way=way: first(way(4)) for way in ways]
    answers += [lambda way=way: first(way.chunks()) for way in (ours, ours16, best)]
    paired_seconds(answers, 1)
    taken = benchmark.pedantic(paired_seconds, (answers, 12), rounds=1)
    say(faster(f"{size} first packet, float32", taken[0], taken[2], 1.2))
    say(faster(f"{size} first packet, bfloat16", taken[1], taken[3], 1.2))
    say(faster(f"{size} first packet, our best, plain float32", taken[0], taken[4], 2.0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sound", ["without vocoder", "with sound"])
def test_reply_of_100_tokens(benchmark: BenchmarkFixture, say: Say, size: str, sound: str) -> None:
    """The goals are for all that comes before the vocoder, whose work is the same in both and outweighs the rest."""
    labels = fixed_labels(TOKENS)
    plain = Plain(SIZES[size], labels)
    plains = (plain, plain.in_bfloat16())
    ours = [Ours(plain, labels, TOKENS, *kinds) for kinds in ((), (HALF,), (HALF, HALF))]
    if sound == "without vocoder":
        plains, ours = (plains[0].muted(), plains[1].muted()), [ours[0].muted(), ours[1].muted()]
    answers = [lambda way=way: whole(way.chunks(TOKENS)) for way in plains]
    answers += [lambda way=way: whole(way.chunks()) for way in ours]
    taken = benchmark.pedantic(paired_seconds, (answers, 2), rounds=1)
    say(faster(f"{size} {TOKENS} tokens {sound}, float32", taken[0], taken[2], 8.0))
    say(faster(f"{size} {TOKENS} tokens {sound}, bfloat16", taken[1], taken[3], 5.0))
    if sound == "with sound":
        say(faster(f"{size} {TOKENS} tokens {sound}, our best, plain float32", taken[0], taken[4], 8.0))


def test_agreement_of_our_best(benchmark: BenchmarkFixture, say: Say) -> None:
    """Tokens and units without any override: what the speed of bfloat16 costs, on random weights."""
    plain, tokens = Plain(SMALL), 16
    expected, half = Reply(), Reply()
    benchmark.pedantic(lambda: whole(plain.chunks(tokens, reply=expected)), rounds=1)
    whole(plain.in_bfloat16().chunks(tokens, reply=half))
    heard = {"plain, bfloat16": (half.ids, half.units)}
    for name, ours in (("float32", Ours(plain, None, tokens)), ("our best", Ours(plain, None, tokens, HALF, HALF))):
        turn, _ = ours.turn()
        whole(turn.packets([AUDIO]))
        heard[name] = (turn.ids, turn.chunker.units)
    for name, (ids, units) in heard.items():
        same = sum(a == b for a, b in zip(ids, expected.ids, strict=True))
        alike = sum(a == b for a, b in zip(units, expected.units, strict=False))
        say(f"S like plain float32, {name}: {same} of {tokens} tokens, {alike} of {len(expected.units)} units")


@pytest.mark.parametrize("size", SIZES)
def test_streaming_costs_little_compared_with_offline(benchmark: BenchmarkFixture, say: Say, size: str) -> None:
    labels = fixed_labels(32)
    ours = Ours(Plain(SIZES[size], labels), labels, 32)

    def work(chunk_units: int | None) -> dict[str, float]:
        seconds: dict[str, float] = defaultdict(float)
        for span in ours.traced(chunk_units).spans:
            seconds[span.stage] += (span.end_ns - span.start_ns) / 1e9
        return seconds

    work(10)

    def both_ways() -> list[dict[int | None, dict[str, float]]]:
        sizes = (10, 20, 40, None)
        return [{omega: work(omega) for omega in (sizes if turn % 2 else reversed(sizes))} for turn in range(6)]

    rounds = benchmark.pedantic(both_ways, rounds=1)
    stages = ("llm.prefill", "llm.decode", "speech_decoder")
    streamed, offline = ([sum(turn[omega][stage] for stage in stages) for turn in rounds] for omega in (10, None))
    value, low, high, kind = ratio(offline, streamed)
    say(f"{size} LLM and speech decoder at Ω = 10: {value:.2f} times offline ({low:.2f} to {high:.2f}, {kind})")
    sound = {omega: sorted(turn[omega]["vocoder"] for turn in rounds)[len(rounds) // 2] for omega in rounds[0]}
    say(
        f"{size} vocoder per Ω: "
        + ", ".join(f"{omega or 'inf'}: {seconds:.3f} s" for omega, seconds in sorted(sound.items(), key=str))
    )


def test_vocoder(benchmark: BenchmarkFixture, say: Say) -> None:
    """4 s of sound."""
    plain = Plain(Sizes(units=1000, embedding=128, channels=512))
    units = fixed_labels(40).flatten()
    units = units[units < 1000]
    frames = plain.vocoder.durations(units).cumsum(0)
    units = units[: int((frames <= 200).sum())]
    ours, best = (Ours(plain, None, 1, sound=sound).assistant.model.vocoder for sound in (torch.float32, HALF))

    @torch.inference_mode()
    def run(vocoder: Callable[[torch.Tensor], torch.Tensor]) -> None:
        vocoder(units)

    ways = [lambda vocoder=vocoder: run(vocoder) for vocoder in (plain.vocoder, ours, best)]
    paired_seconds(ways, 1)
    taken = benchmark.pedantic(paired_seconds, (ways, 12), rounds=1)
    say(faster("vocoder, float32", taken[0], taken[1], 1.5))
    say(faster("vocoder, bfloat16, plain float32", taken[0], taken[2], 1.5))


@pytest.mark.alone
def test_a_long_reply_costs_a_fraction_of_the_plain_one() -> None:
    """The one that `make test` runs: without its cache the speech decoder would do the work of all tokens again.

    It may take over 10 s: a short reply would not tell the two apart on a busy machine.
    """
    torch.set_num_threads(1)  # which neighbours slow evenly; two would wait for each other
    labels = fixed_labels(45)
    plain = Plain(TINY, labels)
    ours = Ours(plain, labels, 45)
    taken = paired_seconds([lambda: whole(plain.chunks(45)), lambda: whole(ours.chunks())], 2)
    assert min(taken[1]) * 1.5 < min(taken[0])
