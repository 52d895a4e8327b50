"""A run in Markdown for people who read it in CI, such as in the file that GITHUB_STEP_SUMMARY names.

GitHub drops a step's summary above 1 MiB whole. Everything here is bounded so that the page stays below that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firstpacket.bench.analysis.answer import Answer, answer
from firstpacket.bench.compare.within import compare_all
from firstpacket.bench.format import NONE, estimated, percentile
from firstpacket.bench.markdown_text import escaped, table
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, Shown, shown_in
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.path import ROLES
from firstpacket.bench.summary.summarise import summarise

MOST_ROWS, MOST_ITEMS, LONGEST_ITEM, LONGEST_NAME = 200, 100, 1000, 200
"""Bounds: 4 lists of 100 items and 2 tables of 200 rows stay below 1 MiB whatever characters they hold."""


def markdown(run: Run) -> str:
    """The page: what the run says in a sentence, its tables, and what to know. Raises `RunError` as `summarise`."""
    summary = summarise(run)
    first, heard = ((), ()) if summary.invalid else (compare_all(run), compare_all(run, FIRST_AUDIBLE))
    said = answer(run, summary, first, heard)
    lines = [
        f"## Latency: {escaped(summary.run, LONGEST_NAME)}",
        "",
        *_headlines(said),
        "",
        escaped(said.measured_on, LONGEST_ITEM),
        "",
        "### Medians, 95 % intervals",
        "",
        *_metrics(summary),
        "",
        "### Critical path to the first packet: mean by role",
        "",
        *_path(summary),
    ]
    if said.notices:
        lines += ["", "### To know", "", *_items(said.notices)]
    return "\n".join(lines) + "\n"


def _headlines(said: Answer) -> list[str]:
    return _items(f"{each}." for each in said.headlines)


def _items(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    lines = [f"- {escaped(text, LONGEST_ITEM)}" for text in listed[:MOST_ITEMS]]
    return lines if len(listed) <= MOST_ITEMS else [*lines, f"- {len(listed) - MOST_ITEMS} more are left out."]


def _metrics(summary: Summary) -> list[str]:
    columns = shown_in(Shown.SUMMARY, {name for label in summary.labels for name in label.figures})
    names = [each.name for each in columns]
    headings = ["label", *(each.title for each in columns), "first packet p95", "answered", "not answered"]
    return table(headings, [_metric_row(label, names) for label in summary.labels], MOST_ROWS)


def _metric_row(label: LabelSummary, names: Sequence[str]) -> list[str]:
    cells = [label.label]
    for name in names:
        figure = label.figures.get(name)
        cells.append(estimated(figure.p50, figure.unit) if figure else NONE)
    headline = label.figures[HEADLINE]
    outcomes = dict(label.outcomes["measured"])
    answered = outcomes.pop("answered")
    others = ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items() if n)
    cells += [percentile(headline.percentiles["p95"], headline.unit), f"{answered} of {label.asked}", others or "none"]
    return [escaped(cell, LONGEST_NAME) for cell in cells]


def _path(summary: Summary) -> list[str]:
    roles = [role for role in ROLES if any(role in label.path.roles for label in summary.labels)]
    headings = ["label", *(role or "unattributed" for role in roles), "total", "turns"]
    return table(headings, [_path_row(label, roles) for label in summary.labels], MOST_ROWS)


def _path_row(label: LabelSummary, roles: Sequence[str]) -> list[str]:
    means = [label.path.roles.get(role) for role in roles]
    cells = [label.label, *(estimated(mean, "ms") for mean in (*means, label.path.total)), str(label.path.n)]
    return [escaped(cell, LONGEST_NAME) for cell in cells]
