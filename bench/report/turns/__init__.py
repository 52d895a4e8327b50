"""Every turn of a run in the report: sorted, filtered, expanded, played, downloaded."""

from firstpacket.bench.report.turns.section import turn_script, turn_section, turn_style

__all__ = ["turn_script", "turn_section", "turn_style"]
