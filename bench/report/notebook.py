"""What notebooks show for a run and for a comparison: the sentences, tables and notes of the terminal, as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup

from firstpacket.bench.compare.findings import Report
from firstpacket.bench.compare.tables import contributions, differences
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.printed import NOTE, first_screen
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.html import table_html
from firstpacket.bench.tables.table import Table

PAGE = Markup("""\
<div class="firstpacket">
<style>
.firstpacket th, .firstpacket td {{ white-space: nowrap; text-align: left; padding: 1px 8px; }}
.firstpacket caption {{ text-align: left; }}
.firstpacket .n {{ text-align: right; }}
.firstpacket .scroll {{ overflow-x: auto; }}
</style>
{}
</div>""")
PARAGRAPH = Markup("<p>{}</p>")
LIST = Markup("<ul>{}</ul>")
ITEM = Markup("<li>{}</li>")
CODE = Markup("<code>{}</code>")


def run_html(run: Run) -> str:
    """What `bench show` prints."""
    parts = [*first_screen(run, summarise(run))]
    notes = [part.removeprefix(NOTE) for part in parts if isinstance(part, str) and part.startswith(NOTE)]
    return _html([part for part in parts if isinstance(part, Table) or not part.startswith(NOTE)], notes)


def comparison_html(found: Report, notes: Iterable[str]) -> str:
    """The sentences, the main metrics and the parts of the difference, and notes on the runs compared."""
    sentences = [each.statement for each in found.findings]
    return _html([*sentences, *differences(found), *contributions(found)], notes)


def _html(parts: Iterable[str | Table], notes: Iterable[str]) -> str:
    shown = [_table(part) if isinstance(part, Table) else PARAGRAPH.format(_text(part)) for part in parts]
    return PAGE.format(Markup("\n").join([*shown, _list(notes)]))


def _table(table: Table) -> Markup:
    return table_html(table) + _list(table.notes)


def _list(lines: Iterable[str]) -> Markup:
    items = Markup().join(ITEM.format(_text(line)) for line in lines)
    return LIST.format(items) if items else Markup()


def _text(line: str) -> Markup:
    """Escaped, with what stands between backticks as code."""
    pieces = re.split(r"`([^`]+)`", line)
    return Markup().join(
        CODE.format(piece) if place % 2 else Markup.escape(piece) for place, piece in enumerate(pieces)
    )
