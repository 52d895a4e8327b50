"""The functions of `import firstpacket`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from firstpacket._comparison import Comparison
from firstpacket._run import Run, Runs

Paths = str | Path


def run(*pipelines: str, config: Paths | None = None, progress: bool = True, **options: Any) -> Run:
    """Measure pipelines on a corpus, as `bench run` does, and return the run.

    `pipelines` are written as for `--pipeline`: `"direct"`, `"fast=cascade,chain=streamed"`. `options` are those of
    `bench run` with underscores (`corpus`, `turns`, `input`, `out`, ...), `config` is a TOML file that they override.
    Pipelines run in separate processes that import nothing from the caller, so no `__main__` guard is needed.

    Raises `UsageError` for invalid arguments, before anything is loaded, another `BenchError` if measuring fails, and
    `Stopped` on Ctrl-C: every finished turn is kept, and `firstpacket.resume` continues the run.
    """
    from firstpacket.bench.config import gather
    from firstpacket.bench.errors import RunError
    from firstpacket.bench.options import parse_pipeline
    from firstpacket.bench.run import session

    given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    flags = {**given, "pipelines": tuple(parse_pipeline(text) for text in pipelines)}
    gathered = gather(flags, Path(config) if config is not None else None, "firstpacket.run")
    if gathered.out and Path(gathered.out).exists():
        raise RunError(
            f"{gathered.out} exists already. Choose another folder with out=..., read that run with "
            "firstpacket.read(...), or continue it, if it was stopped, with firstpacket.resume(...)."
        )
    with _progress(progress) as shown:
        return read(session.start(gathered, _command(pipelines, config, given), shown))


def resume(path: Paths, progress: bool = True) -> Run:
    """Resume a stopped run with its own options. Raises `BenchError`, and `Stopped` on Ctrl-C."""
    from firstpacket.bench.run import session

    with _progress(progress) as shown:
        return read(session.resume(Path(path), shown))


def read(path: Paths) -> Run:
    """Read a run from its folder. Raises `RunError` if it is no run, too new for this version, or damaged."""
    from firstpacket.bench.record.store import read_run

    return Run(read_run(Path(path)))


def runs(folder: Paths = "reports") -> Runs:
    """All runs below a folder, oldest first; folders that cannot be read are in `Runs.skipped`. Raises `RunError`."""
    from firstpacket.bench.history.folders import run_folders

    found, skipped = run_folders(Path(folder))
    return Runs([read(each.path) for each in found], [(each.name, each.reason) for each in skipped])


def compare(
    run: Run,
    other: Run | None = None,
    *,
    metric: str = "first_packet_latency",
    systems: Sequence[str] = (),
    all_metrics: bool = False,
    allow: Collection[str] = (),
) -> Comparison:
    """Compare systems of one run (all with the first, or two that are named), or the same systems of two runs.

    `metric` is the metric of the headline; `allow` names rules whose mismatches are accepted (docs/compare.md). Raises
    `UsageError` if there is nothing to compare or a name is unknown, and `NotComparable` with every reason.
    """
    from firstpacket.bench.compare.findings import Question, of_labels, of_runs

    question = Question(metric, tuple(systems), every_metric=all_metrics, allowed=allow)
    first = run._record
    if other is None:
        return Comparison(of_labels(first, question), (first,))
    return Comparison(of_runs(first, other._record, question), (first, other._record))


def _command(pipelines: Sequence[str], config: Paths | None, options: dict[str, Any]) -> list[str]:
    """The equivalent command line, for the record."""
    words = ["bench", "run", *(word for text in pipelines for word in ("-p", text))]
    words += ["--config", str(config)] if config is not None else []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words += [flag if value else flag.replace("--", "--no-", 1)]
        elif value is not None:
            words += [flag, str(value)]
    return words


def _progress(shown: bool) -> Any:
    """A line updated in place in a notebook, a bar on a terminal, or nothing if not `shown`."""
    from firstpacket.bench.commands.console import console, progress
    from firstpacket.bench.progress import NoProgress, NotebookProgress, in_notebook

    if not shown:
        return NoProgress()
    return NotebookProgress() if in_notebook() else progress(console())
