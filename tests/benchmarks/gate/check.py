"""Whole gates on known work, as a CI job runs them: how often is the verdict right, and how soon is it there?

    make gate-check MINUTES=60 OUT=build/gate-check
    python tests/benchmarks/gate/check.py --bursts -- --max-minutes 5      # what follows `--` is passed to every gate

The workload `short` is 200 matrix products a turn, `direct` the pipeline of that name. A gate compares a working tree
with its own HEAD: unchanged but for a comment, or with 5 % more work. OUT/results.jsonl gets a line per gate, OUT/gates
what the gates write. The same command continues a series that was interrupted or ran out of minutes. If RECORD_LOCK
names a file, every gate waits for the lock on it, and keeps it until its verdict.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import results
import series
from machine import alone
from measure import PIPELINES, measure

CODES = ("unchanged", "slower")
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    chosen = _parsed(arguments)
    file, code = chosen.out.resolve() / "results.jsonl", 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not chosen.report_only:
            gate = partial(measure, file.parent / "gates", chosen.gate)
            series.run(_planned(chosen), file, gate, chosen.minutes, _say, alone)
    except KeyboardInterrupt:
        _say("Interrupted. The same command continues the series.")
        code = INTERRUPTED
    _report(file)
    return code


def _planned(chosen: argparse.Namespace) -> list[results.Gate]:
    counts = {
        (workload, code): count
        for workload in PIPELINES
        for code, count in zip(CODES, getattr(chosen, workload), strict=True)
    }
    return series.plan(counts, "bursts" if chosen.bursts else "quiet", chosen.seed)


def _report(file: Path) -> None:
    so_far = results.read(file)
    if not so_far:
        return
    _say(f"\n{results.table(so_far)}")
    for version, count in Counter(f"{result.version} {result.arguments}".strip() for result in so_far).items():
        _say(f"{count} gates of {version}")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default="build/gate-check", help="folder of the series [%(default)s]")
    parser.add_argument("--minutes", type=float, default=60, help="begin no gate that would not fit [%(default)s]")
    for workload, default in (("short", "20,10"), ("direct", "8,4")):
        meaning = f"gates with unchanged and with slower code [{default}]"
        parser.add_argument(f"--{workload}", default=default, type=_counts, metavar="N,N", help=meaning)
    parser.add_argument("--seed", type=int, default=0, help="of the order of the gates [%(default)s]")
    parser.add_argument("--bursts", action="store_true", help="keep one core busy in irregular bursts")
    parser.add_argument("--report-only", action="store_true", help="print the table of the results so far")
    parser.add_argument("gate", nargs="*", metavar="ARGUMENT", help="for every gate, after --")
    return parser.parse_args(arguments)


def _counts(text: str) -> tuple[int, int]:
    unchanged, slower = map(int, text.split(","))
    return unchanged, slower


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
