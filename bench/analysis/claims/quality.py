"""Claims about the replies, and claims that times alone cannot test."""

from __future__ import annotations

from firstpacket.bench.analysis.claims.evidence import Facts, Model
from firstpacket.bench.analysis.claims.verdict import Claim, Verdict
from firstpacket.bench.analysis.sweeps import Point, Sweep
from firstpacket.bench.format import amount, estimated
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.stats.bootstrap import Estimate

ERRORS_PASS_DOWN = Claim(
    2,
    "Errors propagate through the cascade: a wrong transcript leads to a wrong answer.",
    "supported if, in every cascade with trained weights, the share of correct answers is lower after a transcript "
    "with an error than after an exact one, with disjoint exact intervals; not supported if more than half of the "
    "answers after an error are correct (lower end of the interval)",
)
COSTS_QUALITY = Claim(
    6,
    "Lower first-packet latency costs speech quality (small chunks of units sound worse).",
    "in a sweep of chunk-units: supported if speech is worse at the smallest chunk than at the largest, with disjoint "
    "intervals of a score (or of the reply's word errors); not supported if it is better, also with disjoint intervals",
)
PROSODY = Claim(
    7,
    "Transcription destroys prosody that the answer could have used.",
    "latency is no test of it",
)
PAIRED_DATA = Claim(
    8,
    "Without paired speech-to-speech instruction data, end-to-end training has nothing to optimise.",
    "a benchmark of trained models is no test of it; training without the data would be",
)
OPTION = "chunk-units"


def errors_pass_down(facts: Facts) -> Verdict:
    """Claim 2."""
    claim = ERRORS_PASS_DOWN
    cascades = [model for model in facts.of_kind("cascade") if model.summary.quality.transcript.rate]
    measured = "; ".join(_heard_and_right(model) for model in cascades)
    judged = [
        (model.right_if_heard.interval, model.right_if_misheard.interval)
        for model in cascades
        if model.right_if_heard and model.right_if_misheard and not model.summary.dummy
    ]
    if not judged:
        needed = "a corpus that accepts answers, trained weights, and turns with and without an error in the transcript"
        return claim.not_testable(facts.needed(needed), measured)
    return claim.judged(
        measured,
        supported=all(misheard.high < heard.low for heard, misheard in judged),
        contradicted=any(misheard.low > 0.5 for _, misheard in judged),
        needed="more clips: the intervals are too wide to decide",
    )


def costs_quality(facts: Facts) -> Verdict:
    """Claim 6."""
    claim = COSTS_QUALITY
    swept = [sweep for sweep in facts.sweeps if sweep.option == OPTION]
    needed = "two or more labels that differ in chunk-units only, with trained weights, judged by `bench quality`"
    if not swept:
        return claim.not_testable(needed)
    measured = "; ".join(_measured(sweep) for sweep in swept)
    judged = [sweep for sweep in swept if not any(point.summary.dummy for point in sweep.points)]
    ends = [ends for sweep in judged if (ends := _worse_by(sweep.points[0], sweep.points[-1])) is not None]
    if not ends:
        return claim.not_testable(needed, measured)
    return claim.judged(
        measured,
        supported=all(low > 0 for low, _ in ends),
        contradicted=any(high < 0 for _, high in ends),
        needed="more clips: the intervals overlap",
    )


def prosody(_: Facts) -> Verdict:
    """Claim 7."""
    return PROSODY.not_testable(
        "recordings of the same words spoken in different ways, whose correct answers differ, and a way to judge them"
    )


def paired_data(_: Facts) -> Verdict:
    """Claim 8."""
    return PAIRED_DATA.not_testable(
        "the same model trained with and without paired speech (`bench train`), both judged"
    )


def _heard_and_right(model: Model) -> str:
    wer = f"{model.label}: transcript WER {estimated(model.summary.quality.transcript.rate, 'ratio')}"
    groups = (("an exact transcript", model.right_if_heard), ("one with an error", model.right_if_misheard))
    rules = ", ".join(model.summary.quality.answers.rules)
    right = [f"correct ({rules}) after {name}: {_share(found)}" for name, found in groups if found is not None]
    return ", ".join((wer, *right))


def _share(found: Share) -> str:
    value, low, high = (amount(each, "share") for each in (found.value, found.interval.low, found.interval.high))
    return f"{value} [{low}, {high}] of {found.n}"


def _measured(sweep: Sweep) -> str:
    return "; ".join(f"{OPTION} {point.value:g}: {_said(point)}" for point in (sweep.points[0], sweep.points[-1]))


def _said(point: Point) -> str:
    first = estimated(point.summary.path.total, "ms")
    scores = [f"{each.scorer} {estimated(each.mean, 'ratio')}" for each in point.summary.quality.scores]
    rate = point.summary.quality.reply.rate
    words = [f"reply WER {estimated(rate, 'ratio')}"] if rate else []
    return ", ".join((f"first packet {first}", *scores, *words))


def _worse_by(small: Point, large: Point) -> tuple[float, float] | None:
    """The span by which speech at the small chunk may be worse, from both intervals; None where one is missing."""
    known = {each.scorer: each.mean for each in large.summary.quality.scores}
    for score in small.summary.quality.scores:
        if score.scorer in known:
            return _apart(known[score.scorer], score.mean)
    rates = (small.summary.quality.reply.rate, large.summary.quality.reply.rate)
    return _apart(rates[0], rates[1]) if rates[0] and rates[1] else None


def _apart(higher: Estimate, lower: Estimate) -> tuple[float, float] | None:
    if higher.interval is None or lower.interval is None:
        return None
    return higher.interval.low - lower.interval.high, higher.interval.high - lower.interval.low
