"""Continuity of the replies, their quality and latency, and the claims."""

from __future__ import annotations

from collections import defaultdict

from firstpacket.bench.analysis.claims.verdict import Verdict
from firstpacket.bench.format import amount, number
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.report.plots.points import quality_svg
from firstpacket.bench.report.plots.style import dashes, series
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.section import Key, Picture, Section
from firstpacket.bench.report.view import View, column
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Estimate
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Column, rows, table, words

REPLY_WER = "reply WER"
PLAYER = {"underrun_max": "worst deficit", "stall_total": "total stall", "gapless_first_audio": "gapless"}
"""The player's metrics with their headings."""
WITHIN = ("C50", "C100", "C200")


def continuity(view: View) -> Section:
    """Whether playback stalled; nothing if turns ended before it could."""
    if view.contents.run.manifest.leaves_early:
        return Section("continuity", "Playback without gaps", "")
    columns: list[Column[LabelSummary]] = [words("system", lambda label: label.label), *map(_within, WITHIN)]
    columns += [column(heading, estimate, "ms", "figures", name, "p50") for name, heading in PLAYER.items()]
    note = (
        "Medians over replies of more than one packet. C50, C100, C200: share of them in which the player never stalls "
        "for more than 50, 100, 200 ms. Gapless: first packet plus the smallest pre-roll that avoids stalls."
    )
    shown = table("Playback stalls, medians [95 % CI]", columns, [rows(columns, view.summaries)], notes=(note,))
    return Section("continuity", "Playback without gaps", "", (shown,))


def _within(name: str) -> Column[LabelSummary]:
    says = f"share of replies in which the player never stalls for more than {name[1:]} ms"
    return column(name, single, "share", "continuity", name, says=says)


def judged(view: View) -> Section:
    """Latency and quality of the same turns."""
    lead = "Both from the same turns: a fast reply is worth nothing if it is noise. WER: word error rate."
    return Section("quality", "Latency and quality", lead, (*_pictures(view), quality_table(view.contents.summary)))


def _pictures(view: View) -> list[Picture]:
    """Latency against every quality metric that two or more systems have."""
    judged: dict[str, list[tuple[int, Estimate, Estimate]]] = defaultdict(list)
    for place, label in enumerate(view.summaries):
        latency, reply = label.figures[HEADLINE].p50, label.quality.reply.rate
        if latency is not None:
            found = [(score.scorer, score.mean) for score in label.quality.scores]
            found += [(REPLY_WER, reply)] if reply is not None else []
            for name, value in found:
                judged[name].append((place, latency, value))
    return [
        _picture(view, place, name, points) for place, (name, points) in enumerate(judged.items()) if len(points) > 1
    ]


def _picture(view: View, place: int, name: str, points: list[tuple[int, Estimate, Estimate]]) -> Picture:
    labels = view.labels
    said = "; ".join(f"{labels[n]}: {amount(x.value, 'ms')}, {number(y.value, 'ratio')}" for n, x, y in points)
    salt = f"{view.anchor}-quality-{place}"
    svg = quality_svg(points, name, f"{said}.", salt, lower_is_better=name == REPLY_WER)
    keys = tuple(Key(series(n), dashes(series(n)), labels[n]) for n, _, _ in points)
    return Picture(svg, f"First packet (median) against {name}, with 95 % intervals.", keys)


CLAIMS: tuple[Column[Verdict], ...] = (
    words("", lambda claim: str(claim.number)),
    words("claim", lambda claim: claim.claim),
    words("verdict", lambda claim: claim.answer),
    words("measured", lambda claim: f"{claim.measured or 'no relevant data'}."),
    words("needed, or rule", lambda claim: f"Needed: {claim.needed}." if claim.needed else f"Rule: {claim.rule}."),
)


def claims(view: View) -> Section:
    """Published claims about direct models, tested against this run."""
    found = view.contents.claims
    shown = table(
        "Claims and verdicts",
        CLAIMS,
        [rows(CLAIMS, [claim]) for claim in found],
        notes=[f"Rule {claim.number}: {claim.rule}." for claim in found],
    )
    lead = (
        "Published claims about direct models, tested against this run. Every verdict is based on confidence "
        f"intervals, which need {MIN_CLUSTERS} clips."
    )
    return Section("claims", "Claims about direct models", lead, (shown,) if found else ())
