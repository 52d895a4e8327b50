"""All claims in their order."""

from __future__ import annotations

from firstpacket.bench.analysis.claims import latency, quality
from firstpacket.bench.analysis.claims.evidence import Facts
from firstpacket.bench.analysis.claims.verdict import Verdict

JUDGES = (
    latency.sum_of_stages,
    quality.errors_pass_down,
    latency.whole_utterance,
    latency.as_published,
    latency.beats_optimising,
    quality.costs_quality,
    quality.prosody,
    quality.paired_data,
    latency.matters,
)


def verdicts(facts: Facts) -> tuple[Verdict, ...]:
    """One per claim."""
    return tuple(judge(facts) for judge in JUDGES)
