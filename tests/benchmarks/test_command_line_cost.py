"""`bench --help` costs little more than importing its command-line library."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def test_help_costs_at_most_half_more_than_importing_typer() -> None:
    """Interleaved pairs in one run; the median of their ratios."""
    ratios = [seconds("-m", "bench", "--help") / seconds("-c", "import typer") for _ in range(9)]
    assert statistics.median(ratios) < 1.5
