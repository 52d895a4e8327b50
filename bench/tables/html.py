"""Tables and cells as HTML: all text is escaped; figures carry their raw value and their path in the JSON."""

from __future__ import annotations

import json

from markupsafe import Markup

from firstpacket.bench.tables.table import Aside, Cell, Figure, Heading, Row, Table

FIGURE = Markup('<data value="{}" data-figure="{}">{}</data>')
FRAME = Markup('<div class="scroll" role="region" tabindex="0" aria-label="{}"><table>\n{}\n</table></div>')


def table_html(table: Table) -> Markup:
    """The table without its notes."""
    headings = Markup().join(map(_heading, table.headings))
    bodies = (
        Markup("<tbody>\n{}\n</tbody>").format(Markup("\n").join(_row(row, table.headings) for row in group))
        for group in table.groups
        if group
    )
    caption = Markup("<caption>{}</caption>\n<thead><tr>{}</tr></thead>").format(table.caption, headings)
    return FRAME.format(table.caption, Markup("\n").join([caption, *bodies]))


def cell_html(cell: Cell) -> Markup:
    """Text is escaped, figures are `<data>` elements; the line may break before an aside."""
    return Markup().join(_aside(part) if isinstance(part, Aside) else _part(part) for part in cell)


def _aside(aside: Aside) -> Markup:
    return Markup(' <span class="aside">{}</span>').format(Markup().join(map(_part, aside.parts)).strip())


def _part(part: str | Figure) -> Markup:
    return Markup.escape(part) if isinstance(part, str) else _figure(part)


def _figure(figure: Figure) -> Markup:
    if not figure.at:
        return Markup.escape(figure.text)
    raw = figure.value if isinstance(figure.value, str) else json.dumps(figure.value)
    return FIGURE.format(raw, figure.pointer, figure.text)


def _heading(heading: Heading) -> Markup:
    return Markup("<th{}>{}</th>").format(
        _attributes(scope="col", **{"class": "n" if heading.is_number else ""}, title=heading.says), heading.text
    )


def _row(row: Row, headings: tuple[Heading, ...]) -> Markup:
    cells = Markup().join(_cell(row, place, heading.is_number) for place, heading in enumerate(headings))
    return Markup("<tr{}>{}</tr>").format(_attributes(**{"class": row.kind}), cells)


def _cell(row: Row, place: int, is_number: bool) -> Markup:
    classes = " ".join(name for name, applies in (("n", is_number), ("bad", place in row.bad)) if applies)
    shown = cell_html(row.cells[place])
    if place:
        return Markup("<td{}>{}</td>").format(_attributes(**{"class": classes}), shown)
    swatch = Markup('<i class="swatch role-{}"></i>').format(row.role) if row.role else Markup()
    attributes = _attributes(scope="row", **{"class": classes}, title=row.says)
    return Markup("<th{}>{}{}</th>").format(attributes, swatch, shown)


def _attributes(**said: str) -> Markup:
    return Markup().join(Markup(' {}="{}"').format(name, value) for name, value in said.items() if value)
