"""Texts from outside and tables as Markdown that shows them as they are: no markup, HTML, links or mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from firstpacket.bench.text import clean

MARKUP = re.compile(r"[\\`*_\[\]#|~$]")
"""What begins markup anywhere in a line."""


def escaped(text: str, longest: int) -> str:
    """One line of text, cut to `longest` characters, that is shown as it is inside a paragraph, an item or a cell."""
    line = " ".join(clean(text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = MARKUP.sub(lambda mark: "\\" + mark[0], line)
    # GitHub makes links of addresses and mentions of names without any markup: these marks keep it from that.
    line = re.sub(r"(?i)\b(www)\.", r"\1&#46;", line).replace("://", "&#58;//")
    line = line.replace("@", "@\u2060")
    return re.sub(r"^(?:[-+=]+|\d+[.)])(?=\s|$)", _not_first, line)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], most: int) -> list[str]:
    """Lines of a table of escaped cells: at most so many rows, and a line that says how many were left out."""
    listed = list(rows)
    lines = [_row(headings), _row(["---"] + ["--:"] * (len(headings) - 1)), *map(_row, listed[:most])]
    return [*lines, "", f"{len(listed) - most} rows more are left out."] if len(listed) > most else lines


def _not_first(mark: re.Match[str]) -> str:
    return f"{mark[0][:-1]}\\{mark[0][-1]}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
