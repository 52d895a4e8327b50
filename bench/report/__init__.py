"""Runs → tables for the terminal and one HTML file; all figures come from `bench/summary` and `bench/compare`."""

from firstpacket.bench.report.html import write_report

__all__ = ["write_report"]
