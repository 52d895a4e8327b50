"""Claims about where the time goes and how long it is."""

from __future__ import annotations

import re

from firstpacket.bench.analysis.claims.evidence import DirectVsCascade, Facts, Model
from firstpacket.bench.analysis.claims.verdict import MORE_CLIPS, WHOLE_TURNS, Claim, Verdict
from firstpacket.bench.format import amount, counted, estimated
from firstpacket.bench.stats.bootstrap import Estimate, Interval

MOST_OF_NO_STAGE = 0.10
PUBLISHED_MS, TOLERANCE_MS = 236.0, 10.0
BILLIONS = (7.5, 8.5)
FIRST_CHUNK = "10"
TURN_GAP_MS = 200.0

SUM_OF_STAGES = Claim(
    1,
    "A cascade's response time is the sum of its stages, and is dominated by them rather than by the LLM's own work.",
    "supported if stages account for at least 90 % of a cascade's mean first packet and stages other than the LLM's "
    "for more than half (lower end of the interval); not supported if less (upper end); all cascades must agree",
)
WHOLE_UTTERANCE = Claim(
    3,
    "Transcription forces the whole utterance to be processed before generation can begin; a direct model begins as "
    "soon as enough is encoded.",
    "supported if every cascade's LLM begins after the end of speech and every direct model's before it, by the "
    "intervals of the medians; not supported if an interval shows otherwise. As published, LLaMA-Omni waits for the "
    "end",
)
AS_PUBLISHED = Claim(
    4,
    "A direct model of 8B answers with first audio in 226 ms (first version of the paper; 236 ms in the second), on "
    "one L40.",
    "supported if the interval of the mean reaches down to 246 ms (236 ms plus 10 ms for the paper's resolution); not "
    "supported if it lies above. Only with 8B, chunks of 10 units and one L40",
)
BEATS_OPTIMISING = Claim(
    5,
    "When latency matters most, removing stages beats optimising each: a cascade with every stage streamed and "
    "overlapped is still slower than the direct model of the same size.",
    "supported if the direct model's first packet is earlier than that of every overlapped cascade with an LLM of the "
    "same size, by the interval of the paired differences; not supported if one of them is earlier",
)
MATTERS = Claim(
    9,
    "The difference is large enough to matter in conversation (turn-taking gaps between people: about 200 ms).",
    "supported if the direct model is audible more than 200 ms earlier than every overlapped cascade of the same size, "
    "by the interval of the paired differences; not supported if it is less for one of them",
)
NEEDS_PAIR = (
    "a cascade whose stages overlap (chain=overlapped) and a direct model in one run, with LLMs of the same size "
    "(--matched)"
)


def sum_of_stages(facts: Facts) -> Verdict:
    """Claim 1."""
    claim = SUM_OF_STAGES
    found = [(model, model.beside_llm) for model in facts.of_kind("cascade") if model.beside_llm is not None]
    if not found:
        closed = [model.label for model in facts.of_kind("cascade") if model.summary.is_black_box]
        if closed:
            return claim.not_testable(
                f"a cascade all of whose stages are known: {', '.join(closed)} cannot be looked into"
            )
        return claim.not_testable(facts.needed("a cascade that answers"))
    measured = "; ".join(_shares(model, share) for model, share in found)
    intervals = [share.interval for _, share in found if share.interval]
    if len(intervals) < len(found):
        return claim.not_testable(MORE_CLIPS, measured)
    explained = all((model.of_no_stage or 0.0) <= MOST_OF_NO_STAGE for model, _ in found)
    return claim.judged(
        measured,
        supported=explained and all(each.low > 0.5 for each in intervals),
        contradicted=not explained or any(each.high < 0.5 for each in intervals),
    )


def whole_utterance(facts: Facts) -> Verdict:
    """Claim 3."""
    claim = WHOLE_UTTERANCE
    cascades, direct = (
        [(model, model.llm_begins) for model in facts.of_kind(kind) if model.llm_begins is not None]
        for kind in ("cascade", "direct")
    )
    both = [*cascades, *direct]
    measured = "; ".join(f"the LLM of {model.label} begins {estimated(at, 'ms')} after t0" for model, at in both)
    if facts.input != "realtime":
        return claim.not_testable(
            "speech as it is spoken: --input realtime (here all of it arrives at one instant)", measured
        )
    if not cascades or not direct:
        return claim.not_testable(facts.needed("a cascade and a direct model in one run"), measured)
    if any(at.interval is None for _, at in both):
        return claim.not_testable(MORE_CLIPS, measured)
    waits = [bool(at.interval and at.interval.low > 0) for _, at in both]
    early = [bool(at.interval and at.interval.high < 0) for _, at in both]
    n = len(cascades)
    return claim.judged(
        measured, supported=all(waits[:n]) and all(early[n:]), contradicted=any(early[:n]) or any(waits[n:])
    )


def as_published(facts: Facts) -> Verdict:
    """Claim 4."""
    claim = AS_PUBLISHED
    direct = [model for model in facts.of_kind("direct") if model.summary.path.total]
    measured = "; ".join(_mean(model, facts.gpu) for model in direct)
    fitting = [model for model in direct if _as_in_the_paper(model, facts)]
    if not fitting:
        needed = "the direct model at size=8b or with the published weights, chunk-units=10, --input file, on one L40"
        return claim.not_testable(facts.needed(needed), measured)
    measured = "; ".join(_mean(model, facts.gpu) for model in fitting)
    found = [model.summary.path.total.interval for model in fitting if model.summary.path.total]
    intervals = [each for each in found if each]
    if len(intervals) < len(found):
        return claim.not_testable(MORE_CLIPS, measured)
    reaches = all(each.low <= PUBLISHED_MS + TOLERANCE_MS for each in intervals)
    return claim.judged(measured, supported=reaches, contradicted=not reaches)


def beats_optimising(facts: Facts) -> Verdict:
    """Claim 5."""
    return _against_overlapped(BEATS_OPTIMISING, facts, "first packet", 0.0)


def matters(facts: Facts) -> Verdict:
    """Claim 9."""
    return _against_overlapped(MATTERS, facts, "first audible", TURN_GAP_MS)


def _against_overlapped(claim: Claim, facts: Facts, what: str, least_ms: float) -> Verdict:
    """Whether the direct model is faster by more than `least_ms` than every overlapped cascade of the same size."""
    overlapped = [each for each in facts.comparisons if each.cascade.plan.overlaps]
    fair = [each for each in overlapped if each.fair]
    shown = fair or overlapped or list(facts.comparisons)
    found = [_difference(each, what) for each in shown]
    measured = "; ".join(_against(each, what, difference) for each, difference in zip(shown, found, strict=True))
    if not fair:
        return claim.not_testable(facts.needed(NEEDS_PAIR), measured)
    if None in found and any(each.direct.summary.left_early for each in fair):
        return claim.not_testable(WHOLE_TURNS, measured)
    intervals = [difference.interval for difference in found if difference and difference.interval]
    if len(intervals) < len(found):
        return claim.not_testable(MORE_CLIPS, measured)
    return claim.judged(
        measured,
        supported=all(each.high < -least_ms for each in intervals),
        contradicted=any(each.low > -least_ms for each in intervals),
    )


def _difference(each: DirectVsCascade, what: str) -> Estimate | None:
    return (each.headline if what == "first packet" else each.audible).difference


def _against(each: DirectVsCascade, what: str, difference: Estimate | None) -> str:
    found = estimated(difference, "ms") if difference else "no pairs"
    caveat = "" if each.fair else ", LLMs not known to be of the same size"
    return f"{each.direct.label} - {each.cascade.label}, {what}: {found}{caveat}"


def _shares(model: Model, share: Estimate) -> str:
    hidden = sum(each.value for each in model.summary.hidden.values())
    interval = _percent(share.interval) if share.interval else f"{counted(share.clusters, 'clip')}: no interval"
    return (
        f"{model.label}: stages other than the LLM account for {100 * share.value:.0f} % [{interval}] "
        f"of {_total(model)}, "
        f"no stage for {100 * (model.of_no_stage or 0.0):.1f} %; {amount(hidden, 'ms')} of work is hidden"
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.low:.0f}, {100 * interval.high:.0f}"


def _total(model: Model) -> str:
    return amount(model.summary.path.total_ms, "ms")


def _mean(model: Model, gpu: str) -> str:
    size = f"LLM of {model.llm.size}" if model.llm else "LLM of unknown size"
    units = model.plan.options.get("chunk-units", "?")
    weights = "dummy weights" if model.summary.dummy else "trained weights"
    total = estimated(model.summary.path.total, "ms")
    return f"{model.label}: mean {total} ({size}, {weights}, chunks of {units} units, on {gpu or 'a CPU'})"


def _as_in_the_paper(model: Model, facts: Facts) -> bool:
    return (
        BILLIONS[0] <= model.llm_parameters / 1e9 <= BILLIONS[1]
        and str(model.plan.options.get("chunk-units")) == FIRST_CHUNK
        and facts.input == "file"
        and re.search(r"\bL40\b", facts.gpu) is not None
    )
