"""Every turn of a run in the report: sorted, filtered, laid open, heard, downloaded."""

from firstpacket.bench.report.turns.section import turn_script, turn_section, turn_style

__all__ = ["turn_script", "turn_section", "turn_style"]
