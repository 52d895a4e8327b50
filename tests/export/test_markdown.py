from __future__ import annotations

import re

import pytest
from support.runs import HOSTILE, make_run

from firstpacket.bench.export.markdown import markdown
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.store import Run
from firstpacket.bench.tables.markdown import escaped

markdown_it = pytest.importorskip("markdown_it")
MIB = 1 << 20


def html(text: str) -> str:
    """As a renderer of CommonMark with tables and HTML shows it."""
    return markdown_it.MarkdownIt("commonmark").enable("table").render(text)


def cells(page: str) -> list[list[str]]:
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]


def test_the_answer_comes_first_and_tables_have_every_label(run: Run) -> None:
    page = html(markdown(run))
    assert page.index("between quick and slow in time to first packet") < page.index("<table>")
    rows = cells(page)
    (quick,) = [row for row in rows if row[0] == "quick" and len(row) == len(rows[0])]
    said = dict(zip(rows[0], quick, strict=True))
    assert said["first packet"].startswith("132 ms [")
    assert "first packet p95" not in said, "64 turns cannot carry it"
    assert said["answered"] == "64 of 64"
    (slow,) = [row for row in rows if row[0] == "slow" and len(row) == len(rows[0])]
    others = dict(zip(rows[0], slow, strict=True))
    assert others["answered"] == "2 of 64, 1 failed, 1 timeout"
    roles = [row for row in rows if row[1] == "listen"]
    assert roles, "the critical path by role"
    assert "never has 2 of 64 planned measured turns" in page


def test_hostile_texts_are_shown_and_do_nothing(hostile: Run) -> None:
    text = markdown(hostile)
    page = html(text)
    assert "<script" not in page and "<a " not in page and "<code" not in page and "<em>" not in page
    assert page.count("<h1") == 0 and page.count("<h2") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | `x` [a](https://evil.example)" in page
    for each in page.split("<table>")[1:]:
        assert len({len(row) for row in cells(each.partition("</table>")[0])}) == 1, "no text begins a cell"
    assert "@team" not in text and "www." not in text and "://" not in text


@pytest.mark.parametrize(
    "text", ["- x", "1. x", "12) x", "--- x", "=", "+ x", "# x", "> x", "~~~", "&lt;", "a_b_", "\\"]
)
def test_an_escaped_line_is_a_paragraph_with_the_same_text(text: str) -> None:
    shown = re.fullmatch(r"<p>(.*)</p>\n", html(escaped(text, 100)))
    assert shown, html(escaped(text, 100))
    assert shown[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


def test_the_page_stays_below_what_github_drops() -> None:
    worst = "\\" * 3000 + "&" * 3000
    labels = {f"label-{at:05}": [100.0] for at in range(400)}
    run = make_run(
        labels,
        run=worst,
        corpus=worst,
        notices=(worst,) * 5000,
        facts={"weights": (Weights("llm", "dummy", "dummy weights"),)},
    )
    page = markdown(run)
    assert len(page.encode()) < MIB
    assert "200 more rows not shown." in page
    assert "more not shown" in page.splitlines()[-1]


def test_a_single_label_has_its_own_sentence() -> None:
    assert "alone sends its first packet after 100 ms" in markdown(make_run({"alone": [100.0] * 8}))


def test_the_hostile_text_is_hostile_if_unescaped() -> None:
    assert "<script" in html(HOSTILE), "the renderer lets HTML through, so the tests above mean something"
