"""Servers: what they say of themselves, and what their clients saw."""

from __future__ import annotations

from firstpacket.bench.report.section import Section
from firstpacket.bench.report.servers import says_table, servers_table
from firstpacket.bench.report.view import View


def servers(view: View) -> Section:
    """Of the systems that have one."""
    summary = view.contents.summary
    lead = (
        "What the client of a server sees: when the speech had been sent, when the server decided that the user had "
        "finished, and when the reply came. Whatever lies in between is one wait."
    )
    blocks = tuple(made for made in (says_table(summary), servers_table(summary)) if made.rows)
    return Section("servers", "Servers", lead, blocks)
