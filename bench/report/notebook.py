"""What notebooks show for a run and for a comparison: the sentences and tables of the terminal, as HTML."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from firstpacket.bench.compare.findings import Report
from firstpacket.bench.compare.sentences import sentence
from firstpacket.bench.compare.tables import contributions, differences
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.printed import first_screen
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.html import table_html
from firstpacket.bench.tables.table import Table

PARAGRAPH = Markup("<p>{}</p>")


def run_html(run: Run) -> str:
    """What `bench show` prints."""
    return _html(first_screen(run, summarise(run)))


def comparison_html(found: Report) -> str:
    """The sentences, then the main metrics and the parts of the difference."""
    sentences = [sentence(each.headline) for each in found.findings]
    return _html([*sentences, *differences(found), *contributions(found)])


def _html(parts: Iterable[str | Table]) -> str:
    return "\n".join(table_html(part) if isinstance(part, Table) else PARAGRAPH.format(part) for part in parts)
