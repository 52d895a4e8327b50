"""Continuity of the replies, their quality beside their latency, and the claims."""

from __future__ import annotations

from collections import defaultdict

from firstpacket.bench.format import amount, number
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.report.plots.points import quality_svg
from firstpacket.bench.report.plots.style import dashes, series
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.section import Key, Picture, Section
from firstpacket.bench.report.view import View
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Estimate
from firstpacket.bench.tables.table import Cell, Heading, Row, Table

REPLY_WER = "reply WER"
PLAYER = {
    "underrun_max": "worst deficit, median [95 % CI]",
    "stall_total": "total stall, median [95 % CI]",
    "gapless_first_audio": "gapless, median [95 % CI]",
}


def continuity(view: View) -> Section:
    """Whether the player ran dry."""
    names = [
        name
        for name in PLAYER
        if any(name in view.figures.value((*view.of_label(label), "figures")) for label in view.labels)
    ]
    shares = ("C50", "C100", "C200")
    rows = []
    for label in view.labels:
        at = view.of_label(label)
        cells: list[Cell] = [view.figures.number((*at, "continuity", name), "share") for name in shares]
        known = view.figures.value((*at, "figures"))
        cells += [
            view.figures.estimate((*at, "figures", name, "p50"), "ms") if name in known else ("-",) for name in names
        ]
        rows.append(Row(((label,), *cells)))
    heads = [
        Heading(name, says=f"share of the replies in which the player never waits longer than {name[1:]} ms")
        for name in shares
    ]
    table = Table(
        "The player's waits",
        (Heading("label", is_number=False), *heads, *(Heading(PLAYER[name]) for name in names)),
        (tuple(rows),),
        ("Of the replies of several packets; a dash: there are none. Gapless: the first packet and the wait that keeps "
         "the player from running dry.",),
    )  # fmt: skip
    return Section("continuity", "Whether replies are spoken without gaps", "", (table,))


def judged(view: View) -> Section:
    """Latency and quality of the same turns."""
    lead = "Of the same turns: a fast answer that is noise is no answer. WER: word errors over words."
    return Section("quality", "Latency and quality", lead, (*_pictures(view), quality_table(view.contents.summary)))


def _pictures(view: View) -> list[Picture]:
    """Latency against every figure of quality that two labels or more have."""
    judged: dict[str, list[tuple[int, Estimate, Estimate]]] = defaultdict(list)
    for place, label in enumerate(view.contents.summary.labels):
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


def claims(view: View) -> Section:
    """What is said of direct models, against what this run measured."""
    rows = []
    for place, each in enumerate(view.document["claims"]):
        measured = each["measured"] or "nothing that bears on it"
        needed = f"Needed: {each['needed']}." if each["needed"] else ""
        rows.append(
            Row(
                (
                    (str(each["number"]),),
                    (each["claim"],),
                    (each["answer"],),
                    (f"{measured}.",),
                    (needed or f"Rule: {each['rule']}.",),
                ),
                kind=f"verdict-{place}",
            )
        )
    columns = [
        Heading(name, is_number=False)
        for name in ("", "what is claimed", "verdict", "what was measured", "what it takes")
    ]
    return Section(
        "claims",
        "The claims",
        f"What is said of direct models. Every verdict rests on intervals, which need {MIN_CLUSTERS} clips.",
        (Table("Claims and verdicts", tuple(columns), tuple((row,) for row in rows), _rules(view)),) if rows else (),
    )


def _rules(view: View) -> tuple[str, ...]:
    return tuple(f"Rule {each['number']}: {each['rule']}." for each in view.document["claims"])
