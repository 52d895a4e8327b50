"""Runs → tables for the terminal and one HTML file; all figures come from `bench.summary` and `bench.compare`."""
