"""How templates become text: escaping always on, and the filters that write figures."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from firstpacket.bench.format import amount


@cache
def templates() -> Environment:
    """Templates with autoescape always on: labels, ids and texts come from outside and stay text."""
    environment = Environment(
        loader=PackageLoader("firstpacket.bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amount,
        "percent": lambda value: f"{value:.2f}%",
        "ms": lambda value: "" if value is None else f"{value:.1f}",
    }
    return environment
