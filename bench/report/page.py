"""The report's sections and their order, in every format."""

from __future__ import annotations

from firstpacket.bench.report.section import Section
from firstpacket.bench.report.sections.conditions import clock_starts, gpu, microphone, warmth
from firstpacket.bench.report.sections.distribution import spread
from firstpacket.bench.report.sections.numbers import numbers
from firstpacket.bench.report.sections.path import path
from firstpacket.bench.report.sections.quality import claims, continuity, judged
from firstpacket.bench.report.sections.servers import servers
from firstpacket.bench.report.sections.trends import by_length, over_the_run, swept
from firstpacket.bench.report.view import View

BEFORE_TURNS = (path, servers, judged, spread, numbers, by_length, over_the_run, continuity, swept, claims)
AFTER_TURNS = (clock_starts, microphone, warmth, gpu)


def before_turns(view: View) -> tuple[Section, ...]:
    """The findings; empty sections are left out."""
    return tuple(section for make in BEFORE_TURNS if (section := make(view)).blocks)


def after_turns(view: View) -> tuple[Section, ...]:
    """The conditions of the measurement."""
    return tuple(section for make in AFTER_TURNS if (section := make(view)).blocks)
