"""`bench --help` costs little more than importing its command-line library."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


@pytest.mark.alone
def test_help_costs_at_most_half_more_than_importing_typer() -> None:
    """The fastest of interleaved runs: a process's start is slowed by neighbours, never sped up. So many that both are
    left alone once, also beside busy ones."""
    runs = [(seconds("-m", "firstpacket", "--help"), seconds("-c", "import typer")) for _ in range(20)]
    assert min(ours for ours, _ in runs) < 1.5 * min(theirs for _, theirs in runs)
