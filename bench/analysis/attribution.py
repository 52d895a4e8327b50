"""The parts of a difference between two systems, in a sentence: "transcription accounts for 61 % of it"."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.compare.findings import Findings
from firstpacket.bench.compare.tables import ROLE_WORDS
from firstpacket.bench.format import amount, number
from firstpacket.bench.summary.contents import Summary

LEAST = 0.05
"""Roles with a smaller share of the difference are left out of the sentence; the table has them."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of the mean difference of the first packet by role, the largest first; they add up to 1."""

    base: str
    other: str
    shares: dict[str, float]
    """Empty where the difference may be zero."""
    sentence: str
    """Empty without shares. Where the headline's difference may be zero, it says that only the means differ."""


def attribution(found: Findings, summary: Summary) -> Attribution:
    """Of `found`, a comparison of two labels of the run that `summary` is of."""
    base, other = found.contributions.base, found.contributions.other
    shares = found.contributions.shares
    if not shares:
        return Attribution(base, other, {}, "")
    ordered = dict(sorted(shares.items(), key=lambda item: -abs(item[1])))
    return Attribution(base, other, ordered, _said(found, summary, ordered))


def _said(found: Findings, summary: Summary, ordered: dict[str, float]) -> str:
    """Empty where the headline has too few turns; where only the means differ, that they do."""
    if found.headline.finding == "undecided":
        return _only_in_the_mean(found)
    if found.headline.finding == "too few":
        return ""
    if black_boxes := found.contributions.black_boxes:
        return f"{_sentence(ordered, ROLE_WORDS)}: {' and '.join(black_boxes)} cannot be looked into"
    either = any(_transcribes(summary, label) for label in (found.contributions.base, found.contributions.other))
    return _sentence(ordered, ROLE_WORDS | {"listen": "transcription"} if either else ROLE_WORDS)


def _only_in_the_mean(found: Findings) -> str:
    total = found.contributions.total
    assert total is not None and total.interval is not None  # there are shares
    low, high = number(total.interval.low, "ms"), amount(total.interval.high, "ms")
    return (
        f"The mean shows a difference ({amount(total.value, 'ms')}, 95 % CI {low} to {high}), the median does not: "
        "some turns differ far more than most"
    )


def _sentence(shares: dict[str, float], names: dict[str, str]) -> str:
    """`Transcription accounts for 61 % of it, speaking for 30 %, thinking offsets 12 %`; shares of the mean path."""
    makes = [(names[role], share) for role, share in shares.items() if share >= LEAST]
    takes = [(names[role], share) for role, share in shares.items() if share <= -LEAST]
    (first, share), *others = makes
    parts = [f"{first[:1].upper()}{first[1:]} accounts for {amount(share, 'share')} of it"]
    parts += [f"{name} for {amount(share, 'share')}" for name, share in others]
    parts += [f"{name} offsets {amount(-share, 'share')}" for name, share in takes]
    return ", ".join(parts)


def _transcribes(summary: Summary, label: str) -> bool:
    """Whether a system transcribes speech: only then is listening called transcription."""
    (found,) = (each for each in summary.labels if each.label == label)
    return "asr" in {stage.kind for stage in found.stages if stage.id in {part.stage for part in found.path.parts}}
