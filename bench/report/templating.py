"""How templates become text: escaping always on, and the filters that write figures and tables."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firstpacket.bench.format import amount
from firstpacket.bench.tables.html import cell_html, table_html

HERE = "firstpacket.bench.report"


def inlined(name: str) -> Markup:
    """A file next to the templates of reports, such as a stylesheet, unchanged."""
    return Markup(resources.files(HERE).joinpath("templates", name).read_text(encoding="utf-8"))


@cache
def templates(package: str = HERE) -> Environment:
    """A package's templates with autoescape always on: labels, ids and texts come from outside and stay text."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amount,
        "percent": lambda value: f"{value:.2f}%",
        "ms": lambda value: "" if value is None else f"{value:.1f}",
        "cell": cell_html,
        "table": table_html,
    }
    environment.tests |= {"of_kind": lambda block, kind: type(block).__name__ == kind}
    return environment
