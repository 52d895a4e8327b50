"""Servers: their own figures, and what their clients measured."""

from __future__ import annotations

from firstpacket.bench.report.section import Section
from firstpacket.bench.report.servers import says_table, servers_table
from firstpacket.bench.report.view import View


def servers(view: View) -> Section:
    """The section about systems that have a server."""
    summary = view.contents.summary
    lead = (
        "A client sees when the speech has been sent, when the server decides that the user has finished, and when the "
        "reply arrives. Everything inside the server is a single wait."
    )
    blocks = tuple(made for made in (says_table(summary), servers_table(summary)) if made.rows)
    return Section("servers", "Servers", lead, blocks)
