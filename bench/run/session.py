"""Starts and resumes runs: from options to a run folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UsageError, WorkerError
from firstpacket.bench.metrics.stopping_decision import spent_ns
from firstpacket.bench.options import Options, bounds, check_values
from firstpacket.bench.record.schema import Manifest
from firstpacket.bench.record.store import RunWriter, read_run, require_resumable
from firstpacket.bench.run.code_version import CodeVersion, with_base
from firstpacket.bench.run.manager import Progress
from firstpacket.bench.run.new_run import new_manifest, recordings
from firstpacket.bench.run.resolve import package_versions, require_runnable, resolve
from firstpacket.bench.run.segment import Setup, run_segment
from firstpacket.bench.summary.microphone import invalid


def start(options: Options, command: Sequence[str], progress: Progress) -> Path:
    """Measure as the options say; returns the run folder.

    Raises `BenchError`, before anything is loaded where possible.
    """
    setup = prepare(options, command)
    path = Path(options.out) if options.out else Path("reports") / setup.manifest.run
    with created(path, setup.manifest) as writer, _resumable(path):
        run_segment(setup, writer, progress)
    return path


def resume(path: Path, progress: Progress, changed: Mapping[str, Any] | None = None) -> Path:
    """Resume a stopped run: same order, same options but for those `changed`, a new segment.

    Nothing is measured if a limit had ended the run and none is changed. Raises `BenchError`.
    """
    manifest = require_resumable(path)
    if manifest.replicated:
        raise RunError(f"{path} is the run of a gate. Continue that with: bench gate --resume {path.parent}")
    if any(plan.source for plan in manifest.labels):
        raise RunError(f"{path} is a round of a gate of an earlier version. Start a new gate.")
    if not changed and read_run(path).limit is not None:
        return path
    setup = _with_options(reopen(path), changed or {})
    with RunWriter.resume(path) as writer, _resumable(path):
        before = read_run(path)
        spent = spent_ns(before) if setup.manifest.stopping_rule is not None else 0
        run_segment(setup, writer, progress, before.turns, len(before.segments), spent)
    return path


def _with_options(setup: Setup, changed: Mapping[str, Any]) -> Setup:
    """Raises `UsageError` for values that these options cannot have."""
    options = replace(setup.manifest.options, **changed)
    check_values(options)
    return replace(setup, manifest=replace(setup.manifest, options=options))


def reopen(path: Path, base: CodeVersion | None = None) -> Setup:
    """What a run that was stopped needs to go on. Raises `BenchError` if its systems or recordings have changed."""
    manifest = require_resumable(path)
    packages = package_versions(manifest.labels, require_runnable(manifest.labels))
    corpus = recordings(manifest.corpus_source, manifest.options)
    if corpus.sha256 != manifest.corpus_sha256:
        raise RunError(
            f"The corpus {manifest.corpus_source} has changed since the run began (its hash differs). "
            "Restore it, or start a new run."
        )
    _refuse_damaged(path, manifest, [utterance.id for utterance in corpus.utterances])
    return Setup(manifest, corpus, packages, base)


@contextmanager
def created(path: Path, manifest: Manifest) -> Iterator[RunWriter]:
    """A new run folder to write to. It is removed if an error ends it before any turn, unless a log says more."""
    with RunWriter.create(path, manifest) as writer:
        try:
            yield writer
        except (WorkerError, NotComparable):
            raise
        except BenchError:
            if not read_run(path).turns:
                shutil.rmtree(path, ignore_errors=True)
            raise


def prepare(options: Options, command: Sequence[str], base: CodeVersion | None = None) -> Setup:
    """Resolve and check everything that can be before something is loaded. Raises `BenchError`."""
    resolved, notices = resolve(options)
    systems = tuple(each.system for each in resolved)
    packages = package_versions(systems, [each.declaration for each in resolved])
    if base is not None:
        systems = with_base(systems, {each.choice.label: each.choice.options for each in resolved}, base)
    corpus = recordings(options.corpus, options)
    return Setup(new_manifest(options, systems, corpus, command, notices), corpus, packages, base)


def _refuse_damaged(path: Path, manifest: Manifest, clips: Sequence[str]) -> None:
    """Raises `RunError` for values that no run can have: planning too many turns would exhaust memory."""
    try:
        check_values(manifest.options)
    except UsageError as error:
        raise RunError(f"{path}: invalid options in manifest.json: {error} The run folder is damaged.") from error
    for name, number in (("turns", manifest.turns), ("warmup", manifest.warmup)):
        least, most = bounds(name)
        if not 0 <= number <= max(most, len(clips)):
            raise RunError(
                f"{path}: manifest.json: {name} is {number}, must be {least}..{most}. The run folder is damaged."
            )
    rule, stopping = manifest.warmup_rule, manifest.stopping_rule
    if stopping is not None and stopping.blocks * len(clips) != manifest.turns:
        raise RunError(
            f"{path}: manifest.json: turns is {manifest.turns}, must be {stopping.blocks} passes over {len(clips)} "
            "clips. The run folder is damaged."
        )
    if rule is not None and (rule.clip not in clips or rule.most > bounds("warmup")[1]):
        raise RunError(f"{path}: invalid warm-up rule in manifest.json: {rule}. The run folder is damaged.")


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Explain after Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        stopped = " ".join(("Stopped", *map(str, interrupt.args))) + "."
        reasons = "; ".join(invalid(read_run(path)))
        problem = f" So far the run is invalid: {reasons}." if reasons else ""
        raise Stopped(
            f"{stopped}{problem} Every finished turn is kept; resume with: bench run --resume {path}"
        ) from None
