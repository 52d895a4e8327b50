"""A report's page as a reader and as a machine see it: its text, and its figures with their places in the JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser

from firstpacket.bench.record.store import Run
from firstpacket.bench.report.formats import rendered


class Page(HTMLParser):
    """The figures of a page: place in the JSON of its run, raw value, text; and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.figures: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: tuple[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._open = (said["data-figure"] or "", said["value"] or "") if tag == "data" else None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open:
            self.figures.append((*self._open, data))
            self._open = None


def at(document: object, pointer: str) -> object:
    """What stands at a JSON Pointer."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]  # type: ignore[index]
    return document


def read_back(run: Run) -> dict[str, str]:
    """Texts of a page's figures by their place, after each was found with the same value in the JSON."""
    found = Page(rendered([run], "html")).figures
    document = json.loads(rendered([run], "json"))["runs"][0]
    for pointer, raw, _ in found:
        value = at(document, pointer)
        assert raw == (value if isinstance(value, str) else json.dumps(value)), pointer
    return {pointer: text for pointer, _, text in found}
