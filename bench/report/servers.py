"""Servers: their own figures next to what their clients measured, and how they were reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.metrics.server import E2E, END_TO_END, Pace
from firstpacket.bench.report.view import column, of_label
from firstpacket.bench.summary.contents import LabelSummary, Reason, Summary
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Column, Heading, JsonPath, Row, Table, rows, table, tells, words

HERE, THERE = "the client", "the server"
SAYS_NOTES = (
    "Server-reported figures are by the server's clock, between events of its choice: they need not add up, and none "
    "of them is part of ours. The client's means are those of the critical path to the first packet, and do add up.",
)
E2E_NOTE = f"First packet - {E2E}: the wait that the server's own figure leaves out, turn by turn."


class Line(NamedTuple):
    """One figure of a system, measured by the client or reported by the server."""

    label: LabelSummary
    metric: str
    title: str
    by: str

    def at(self, *steps: str) -> JsonPath:
        """Its place in the JSON, and what lies below it."""
        return of_label(self.label, "figures", self.metric, *steps)


SAYS: tuple[Column[Line], ...] = (
    words("system", lambda line: line.label.label),
    words("figure", lambda line: line.title),
    words("seen by", lambda line: line.by),
    Column("median", lambda line: estimate(line.label.figures[line.metric].p50, "ms", line.at("p50"))),
    Column("mean", lambda line: single(line.label.figures[line.metric].mean, "ms", line.at("mean"))),
    Column("turns", lambda line: single(line.label.figures[line.metric].n, "count", line.at("n"))),
)


def says_table(summary: Summary) -> Table:
    """The stages of every system whose server reports figures, then those figures; empty without any."""
    saying = [label for label in summary.labels if any(name.startswith("server.") for name in label.figures)]
    groups = [
        group for label in saying for group in (tuple(_ours(label)), (*rows(SAYS, _theirs(label)), *_beyond(label)))
    ]
    beyond = any(label.server and label.server.over_e2e for label in saying)
    notes = (*SAYS_NOTES, *([E2E_NOTE] if beyond else []))
    return table("Server-reported figures, next to the client's [95 % CI]", SAYS, groups, notes=notes if saying else ())


def _ours(label: LabelSummary) -> Iterator[Row]:
    """The critical path, whose means add up to that of the first packet."""
    for number, part in enumerate(label.path.parts):
        mean = estimate(part.mean, "ms", of_label(label, "path", "parts", number, "mean"))
        turns = single(label.path.n, "count", of_label(label, "path", "n"))
        yield Row(((label.label,), (part.stage or "no stage",), (HERE,), ("",), mean, turns))
    yield from rows(SAYS, [Line(label, HEADLINE, "first packet", HERE)])


def _theirs(label: LabelSummary) -> Iterator[Line]:
    for name in sorted(label.figures, key=lambda name: name == END_TO_END):  # the whole after its parts
        if name.startswith("server."):
            yield Line(label, name, name.removeprefix("server."), THERE)


def _beyond(label: LabelSummary) -> Iterator[Row]:
    difference = label.server.over_e2e if label.server else None
    if difference is not None:
        value = estimate(difference, "ms", of_label(label, "server", "over_e2e"), signed=True)
        title = f"first packet - {E2E}"
        turns = single(difference.n, "count", of_label(label, "server", "over_e2e", "n"))
        yield Row(((label.label,), (title,), ("both",), value, ("",), turns), kind="quiet")


def _renewed(label: LabelSummary) -> str:
    sessions = label.server.sessions if label.server else None
    return ", ".join(map(str, sessions.renewed)) if sessions else ""


def _paced(label: LabelSummary) -> str:
    return paced(label.server.pace) if label.server and label.server.pace else ""


def paced(pace: Pace) -> str:
    """How the audio arrived, in words."""
    if pace.one_packet == pace.replies:
        return "every reply in one packet"
    if pace.paced:
        return "paced by the server"
    if pace.rtf is None:
        return ""
    one = f", {pace.one_packet} of {pace.replies} in one packet" if pace.one_packet else ""
    return ("ahead of playback" if pace.rtf.value < 1 else "slower than playback") + one


FACTS: tuple[Column[LabelSummary], ...] = (
    column("first packet", estimate, "ms", "figures", HEADLINE, "p50"),
    column("first audible sample", estimate, "ms", "figures", FIRST_AUDIBLE, "p50"),
    column("leading silence", estimate, "ms", "figures", "leading_silence", "p50"),
    words("audio", _paced),
    column("RTF steady", estimate, "ratio", "server", "pace", "rtf"),
    column("session set-up", estimate, "ms", "server", "sessions", "setup"),
    column("sessions opened", single, "count", "server", "sessions", "made"),
    words("reopened before turns", _renewed),
    column("round trip", estimate, "ms", "server", "round_trips", "median"),
    column("fastest round trip", single, "ms", "server", "round_trips", "fastest"),
    column("jitter of round trips", single, "ms", "server", "round_trips", "jitter"),
    column("lowest rate limit left", single, "share", "server", "rate_limit_left"),
    column("repeated clip (ratio)", estimate, "ratio", "warmth", "same_clip", "ratio"),
    column("after another system on the clip", estimate, "ms", "warmth", "order", "later", signed=True),
)
FACTS_NOTE = (
    "Medians over measured turns; sessions of all turns, opened before the user speaks. Audio paced by the "
    "server arrives at the speed of playback, so how fast it is generated is unknown. A reply in one packet cannot "
    "stall."
)


def servers_table(summary: Summary) -> Table:
    """How each server was reached, and how its audio arrived: a column per system; empty without any."""
    served = [label for label in summary.labels if label.server is not None]
    all_rows = [Row(((fact.heading,), *map(fact.cell, served))) for fact in FACTS]
    headings = (Heading("server", is_number=False), *(Heading(label.label) for label in served))
    shown_rows = tuple(row for row in all_rows if any(map(tells, row.cells[1:])))
    return Table("Servers, as their clients see them [95 % CI]", headings, (shown_rows,), (FACTS_NOTE,))


class Unanswered(NamedTuple):
    """Turns of a system without an answer."""

    label: LabelSummary
    place: int
    reason: Reason

    def at(self, step: str) -> JsonPath:
        """Its place in the JSON."""
        return of_label(self.label, "reasons", self.place, step)


REASONS: tuple[Column[Unanswered], ...] = (
    words("system", lambda each: each.label.label),
    words("outcome", lambda each: each.reason.outcome),
    Column(
        "turns", lambda each: single(each.reason.turns, "count", of_label(each.label, "reasons", each.place, "turns"))
    ),
    words("reason", lambda each: shortened(each.reason.reason)),
)
LONGEST_REASON = 200


def reasons_table(summary: Summary) -> Table:
    """Why measured turns have no answer; empty if all have one."""
    groups = [
        rows(REASONS, (Unanswered(label, place, reason) for place, reason in enumerate(label.reasons)))
        for label in summary.labels
    ]
    return table("Measured turns without an answer", REASONS, [group for group in groups if group])


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def server_tables(summary: Summary) -> tuple[Table, ...]:
    """All that there are."""
    return tuple(made for made in (says_table(summary), servers_table(summary), reasons_table(summary)) if made.rows)
