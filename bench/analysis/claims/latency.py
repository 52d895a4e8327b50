"""Claims about where the time goes and how long it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from firstpacket.bench.analysis.claims.evidence import DirectVsCascade, EarlyVsWaiting, Facts, Model
from firstpacket.bench.analysis.claims.verdict import MORE_CLIPS, WHOLE_TURNS, Claim, Verdict
from firstpacket.bench.compare.comparison import Comparison
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
    "as claimed: a cascade's LLM starts (takes in the first of the question) after the end of speech, a direct model's "
    "before it, by the interval of the median. Supported if all systems are as claimed; for some, if all cascades and "
    "one direct model are, but another is not; not supported if a cascade or all direct models are not. As published, "
    "LLaMA-Omni waits for the end",
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
    measured = _on(facts, "; ".join(_shares(model, share) for model, share in found))
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
    models = [model for model in facts.models if model.kind in ("cascade", "direct")]
    found = [(model, at) for model in models if (at := model.llm_start) is not None]
    starts = "; ".join(_start(model, at) for model, at in found)
    measured = _on(facts, f"start of the LLM, after the end of speech: {starts}" if found else "", *_sooner(facts))
    if facts.input != "realtime":
        return claim.not_testable(
            "speech as it is spoken: --input realtime (here all of it arrives at one instant)", measured
        )
    if not found and facts.of_kind("cascade") and facts.of_kind("direct"):
        return claim.not_testable("the start of the language model, which this run does not record", measured)
    of = {kind: [_as_claimed(model, at) for model, at in found if model.kind == kind] for kind in ("cascade", "direct")}
    if False not in (*of["cascade"], *of["direct"]):
        if not of["cascade"] or not of["direct"]:
            return claim.not_testable(facts.needed("a cascade and a direct model in one run"), measured)
        return claim.judged(measured, supported=None not in (*of["cascade"], *of["direct"]), contradicted=False)
    if True in of["direct"] and False not in of["cascade"]:
        return claim.holds_for_some(measured)
    return claim.judged(measured, supported=False, contradicted=True)


def as_published(facts: Facts) -> Verdict:
    """Claim 4."""
    claim = AS_PUBLISHED
    direct = [model for model in facts.of_kind("direct") if model.summary.path.total]
    measured = _on(facts, "; ".join(map(_mean, direct)))
    fitting = [model for model in direct if _as_in_the_paper(model, facts)]
    if not fitting:
        needed = "the direct model at size=8b or with the published weights, chunk-units=10, --input file, on one L40"
        return claim.not_testable(facts.needed(needed), measured)
    measured = _on(facts, "; ".join(map(_mean, fitting)))
    found = [model.summary.path.total.interval for model in fitting if model.summary.path.total]
    intervals = [each for each in found if each]
    if len(intervals) < len(found):
        return claim.not_testable(MORE_CLIPS, measured)
    reaches = all(each.low <= PUBLISHED_MS + TOLERANCE_MS for each in intervals)
    return claim.judged(measured, supported=reaches, contradicted=not reaches)


def beats_optimising(facts: Facts) -> Verdict:
    """Claim 5."""
    return _against_overlapped(BEATS_OPTIMISING, facts, lambda each: each.headline, 0.0)


def matters(facts: Facts) -> Verdict:
    """Claim 9."""
    return _against_overlapped(MATTERS, facts, lambda each: each.audible, TURN_GAP_MS)


def _against_overlapped(
    claim: Claim, facts: Facts, decisive: Callable[[DirectVsCascade], Comparison], least_ms: float
) -> Verdict:
    """Whether the direct model is faster by more than `least_ms` than every overlapped cascade of the same size."""
    overlapped = [each for each in facts.comparisons if each.cascade.plan.overlaps]
    fair = [each for each in overlapped if each.fair]
    shown = fair or overlapped or list(facts.comparisons)
    measured = _on(facts, "; ".join(map(_against, shown)))
    if not fair:
        return claim.not_testable(facts.needed(NEEDS_PAIR), measured)
    found = [decisive(each).difference for each in shown]
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


def _on(facts: Facts, *sentences: str) -> str:
    """Sentences that hold for one machine; empty without any."""
    said = ". ".join(each for each in sentences if each)
    return f"On {facts.machine}: {said}" if said and facts.machine else said


def _as_claimed(model: Model, at: Estimate) -> bool | None:
    """Whether its language model starts when claim 3 says so; None if the interval does not tell."""
    if at.interval is None or at.interval.contains(0.0):
        return None
    return (at.value > 0) == (model.kind == "cascade")


def _start(model: Model, at: Estimate) -> str:
    words = {True: "as claimed", False: "not as claimed", None: "undecided"}
    parts = [f"{model.named} {estimated(at, 'ms', signed=True)}"]
    early, blocks = model.summary.during_speech, model.summary.figures.get("late_blocks")
    if early is not None and early.share is not None and early.stages:
        parts.append(f"{estimated(early.share, 'share')} of the work for its first packet during speech")
    if blocks is not None and blocks.mean is not None:
        parts.append(f"{amount(blocks.mean, 'share')} of its blocks late")
    return ", ".join((*parts, words[_as_claimed(model, at)]))


def _sooner(facts: Facts) -> Iterator[str]:
    """What an early start brings to listeners, and what is predicted of it for the published size."""
    if facts.early:
        yield "; ".join(map(_gain, facts.early))
    yield facts.outlook


def _gain(each: EarlyVsWaiting) -> str:
    systems = each.systems
    differ = f"(options that differ: {', '.join(systems.differ_in)})"
    return f"{systems.early} - {systems.waits} {differ}, {_moments(each.headline, each.audible)}"


def _moments(*compared: Comparison | None) -> str:
    return ", ".join(
        f"{each.title}: {estimated(each.difference, 'ms') if each.difference else 'no pairs'}"
        for each in compared
        if each is not None
    )


def _against(each: DirectVsCascade) -> str:
    caveat = "" if each.fair else ", LLMs not known to be of the same size"
    return f"{each.direct.named} - {each.cascade.named}, {_moments(each.headline, each.audible)}{caveat}"


def _shares(model: Model, share: Estimate) -> str:
    hidden = sum(each.value for each in model.summary.hidden.values())
    interval = _percent(share.interval) if share.interval else f"{counted(share.clusters, 'clip')}: no interval"
    return (
        f"{model.named}: stages other than the LLM account for {100 * share.value:.0f} % [{interval}] "
        f"of {_total(model)}, "
        f"no stage for {100 * (model.of_no_stage or 0.0):.1f} %; {amount(hidden, 'ms')} of work is hidden"
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.low:.0f}, {100 * interval.high:.0f}"


def _total(model: Model) -> str:
    return amount(model.summary.path.total_ms, "ms")


def _mean(model: Model) -> str:
    units = model.plan.options.get("chunk-units", "?")
    weights = "dummy weights" if model.summary.dummy else "trained weights"
    total = estimated(model.summary.path.total, "ms")
    return f"{model.named}: mean {total} ({weights}, chunks of {units} units)"


def _as_in_the_paper(model: Model, facts: Facts) -> bool:
    return (
        BILLIONS[0] <= model.llm_parameters / 1e9 <= BILLIONS[1]
        and str(model.plan.options.get("chunk-units")) == FIRST_CHUNK
        and facts.input == "file"
        and re.search(r"\bL40\b", facts.gpu) is not None
    )
