"""Starts and resumes runs: from options to a run folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import firstpacket
from firstpacket.bench import environment
from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Corpus, Utterance
from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UsageError, WorkerError
from firstpacket.bench.host.machine import usable_cores
from firstpacket.bench.host.other_processes import Neighbours
from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.metrics.stopping_decision import clips_needed, spent_ns
from firstpacket.bench.options import IDLE_TURNS, MINUTES, PASSES, Options, bounds, check_values, parse_precision
from firstpacket.bench.paths import name_as_text
from firstpacket.bench.record.rules import StoppingRule
from firstpacket.bench.record.schema import (
    SCHEMA,
    LabelFacts,
    Manifest,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import RunWriter, read_run, require_resumable
from firstpacket.bench.run.base_version_worker import BaselineExecutor
from firstpacket.bench.run.code_version import CodeVersion, with_base
from firstpacket.bench.run.gpu_watch import GpuWatch
from firstpacket.bench.run.host_watch import HostWatch, host_counters
from firstpacket.bench.run.manager import Manager, Progress
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.profiling import profiled_labels, profiling_notices
from firstpacket.bench.run.protocol import Instrument
from firstpacket.bench.run.resolve import package_versions, require_runnable, resolve
from firstpacket.bench.run.schedule.orders import drawn
from firstpacket.bench.run.schedule.warmup import warmup_rule
from firstpacket.bench.run.watch import MachineWatch
from firstpacket.bench.sanitize import clean, without_secrets
from firstpacket.bench.summary.microphone import invalid


def start(options: Options, command: Sequence[str], progress: Progress, base: CodeVersion | None = None) -> Path:
    """Measure as the options say, and every system in version `base` too, if given; returns the run folder.

    Raises `BenchError`, before anything is loaded where possible, and `NotComparable` if `base` cannot be measured.
    """
    resolved, notices = resolve(options)
    systems = tuple(each.system for each in resolved)
    packages = package_versions(systems, [each.declaration for each in resolved])
    if base is not None:
        systems = with_base(systems, {each.choice.label: each.choice.options for each in resolved}, base)
    corpus = _corpus(options.corpus, options)
    manifest = _manifest(options, systems, corpus, command, notices)
    path = Path(options.out) if options.out else Path("reports") / manifest.run
    with RunWriter.create(path, manifest) as writer:
        try:
            _run(manifest, writer, corpus, packages, (), 0, progress, base)
        except (WorkerError, NotComparable):
            raise
        except BenchError:
            if not read_run(path).turns:
                shutil.rmtree(path, ignore_errors=True)
            raise
    return path


def resume(path: Path, progress: Progress) -> Path:
    """Resume a stopped run: same order, same options, a new segment. Raises `BenchError`."""
    manifest = require_resumable(path)
    if any(plan.source for plan in manifest.labels):
        raise RunError(
            f"{path} compares two versions, so it cannot be resumed: both must be measured together. Start a new run."
        )
    packages = package_versions(manifest.labels, require_runnable(manifest.labels))
    corpus = _corpus(manifest.corpus_source, manifest.options)
    if corpus.sha256 != manifest.corpus_sha256:
        raise RunError(
            f"The corpus {manifest.corpus_source} has changed since the run began (its hash differs). "
            "Restore it, or start a new run."
        )
    _refuse_damaged(path, manifest, [utterance.id for utterance in corpus.utterances])
    with RunWriter.resume(path) as writer:
        before = read_run(path)
        spent = spent_ns(before) if manifest.stopping_rule is not None else 0
        _run(manifest, writer, corpus, packages, before.turns, len(before.segments), progress, spent=spent)
    return path


def _corpus(source: str, options: Options) -> Corpus:
    """The recordings that a run with these options uses. With a precision to reach, it passes over all of them."""
    turns = None if options.precision is not None else options.turns
    return load_corpus(
        source,
        trim_to_s=options.trim_to,
        limit=options.limit,
        channel=options.channel,
        draw=lambda ids: drawn(ids, turns, options.seed),
    )


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


def _run(
    manifest: Manifest,
    writer: RunWriter,
    corpus: Corpus,
    packages: dict[str, str],
    already: Sequence[Turn],
    segments_before: int,
    progress: Progress,
    base: CodeVersion | None = None,
    spent: int = 0,
) -> None:
    neighbours = Neighbours()
    surroundings = worker_environment(manifest.threads)

    instruments: tuple[Instrument, ...] = ("nvtx",) if manifest.options.nvtx else ()

    def executor(system: System, instruments: tuple[Instrument, ...] = instruments) -> ProcessExecutor:
        log = writer.path / f"worker-{system.label}.log"
        if base is not None and system.source:
            return BaselineExecutor(system, log, surroundings, base, instruments)
        return ProcessExecutor(system, log, surroundings, instruments=instruments)

    def segment(number: int, labels: tuple[LabelFacts, ...]) -> Segment:
        if base is not None:
            base.check(labels)
        return Segment(
            number,
            _now().isoformat(timespec="seconds"),
            time.time_ns(),
            time.monotonic_ns(),
            {**environment.facts(surroundings), **neighbours.facts(_server_pids(labels))},
            packages,
            labels,
            versions(),
        )

    watch = MachineWatch(HostWatch(host_counters()), GpuWatch())
    executors = {system.label: executor(system) for system in manifest.labels}
    profiling = {system.label: executor(system, ("profiler",)) for system in profiled_labels(manifest)}
    manager = Manager(
        manifest, writer, executors, corpus.utterances, progress, watch, profiling=profiling, spent_ns=spent
    )
    try:
        manager.run(already, segment, segments_before)
    except KeyboardInterrupt as interrupt:
        stopped = " ".join(("Stopped", *map(str, interrupt.args))) + "."
        if base is not None:
            raise Stopped(
                f"{stopped} What was measured is in {writer.path}; it cannot be resumed: both versions must be "
                "measured together."
            ) from None
        reasons = "; ".join(invalid(read_run(writer.path)))
        problem = f" So far the run is invalid: {reasons}." if reasons else ""
        raise Stopped(
            f"{stopped}{problem} Every finished turn is kept; resume with: bench run --resume {writer.path}"
        ) from None


def _server_pids(labels: Sequence[LabelFacts]) -> tuple[int, ...]:
    return tuple(pid for facts in labels for server in facts.servers for pid in server.pids)


def worker_environment(threads: int) -> dict[str, str]:
    """Environment variables of workers: this process's own, with thread counts and waiting policy set.

    OpenMP threads that spin while waiting slow other processes up to tenfold on few cores, so passive waiting is the
    default; the user's own setting takes precedence. Workers do not search the current folder; in a checkout that is
    not installed it is where this code comes from, and then it is named.
    """
    variables = dict(os.environ)
    code = Path(firstpacket.__file__).resolve().parents[1]
    if code.samefile("."):
        variables["PYTHONPATH"] = os.pathsep.join([*filter(None, [variables.get("PYTHONPATH")]), str(code)])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        variables[name] = str(threads)
    variables.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    variables["PYTHONUNBUFFERED"] = "1"
    return variables


def _manifest(
    options: Options, systems: tuple[System, ...], corpus: Corpus, command: Sequence[str], notices: tuple[str, ...]
) -> Manifest:
    now = _now()
    rule = warmup_rule(corpus.utterances) if options.warmup == "auto" else None
    stopping = _stopping_rule(options, len(corpus.utterances))
    return Manifest(
        schema=SCHEMA,
        run=_name(options, now, systems)[:100],
        created=now.isoformat(timespec="seconds"),
        command=tuple(without_secrets(name_as_text(word)) for word in command),
        options=_in_force(options),
        turns=stopping.blocks * len(corpus.utterances) if stopping else options.turns or len(corpus.utterances),
        warmup=rule.most if rule else int(options.warmup),
        warmup_rule=rule,
        labels=systems,
        corpus=corpus.name,
        corpus_source=_lasting(corpus.source),
        corpus_sha256=corpus.sha256,
        utterances=tuple(_facts(utterance) for utterance in corpus.utterances),
        stopping_rule=stopping,
        notices=(*notices, *profiling_notices(options.profile_gpu, systems), *corpus.notices),
    )


def _name(options: Options, now: datetime, systems: Sequence[System]) -> str:
    """The folder's, if the user chose one."""
    if options.out:
        return clean(name_as_text(Path(options.out).resolve().name))
    return f"{now:%Y%m%d-%H%M%S}-{'-'.join(system.label for system in systems)}"


def _in_force(options: Options) -> Options:
    """The options with derived values filled in, and without the output folder."""
    idle_turns = (options.idle_turns or IDLE_TURNS) if options.idle else None
    corpus = name_as_text(options.corpus)
    return replace(options, corpus=corpus, threads=options.threads or usable_cores(), idle_turns=idle_turns, out=None)


def _stopping_rule(options: Options, clips: int) -> StoppingRule | None:
    """The rule for a corpus of this many clips. Raises `UsageError` if no check could ever have an interval."""
    if options.precision is None:
        return None
    width, unit = parse_precision(options.precision)
    most = options.turns or min(PASSES * clips, bounds("turns")[1])
    if most < clips:
        raise UsageError(
            f"--turns {most} is less than one pass over the {clips} clips of the corpus, and --precision checks after "
            f"whole passes only. Use --turns {clips} or more, or fewer clips with --limit."
        )
    rule = StoppingRule(
        width, unit, int(most // clips), MINUTES if options.max_minutes is None else options.max_minutes
    )
    if clips < (needed := clips_needed(rule)):
        raise UsageError(
            f"--precision needs a confidence interval, which takes at least {needed} clips with checks after 1, 2, 4, "
            f"... of {rule.blocks} passes; the corpus has {clips}. Use a larger corpus, or --turns "
            "instead of --precision."
        )
    return rule


def _lasting(source: str) -> str:
    """A corpus's source that is valid in any working folder."""
    named = {listing.name for listing in list_corpora()}
    return source if source in named else name_as_text(Path(source).resolve())


def _facts(utterance: Utterance) -> UtteranceFacts:
    return UtteranceFacts(
        utterance.id,
        utterance.sha256,
        utterance.duration_ms,
        utterance.speech_end_ms,
        utterance.speech_end_source,
        utterance.text,
        utterance.licence,
        utterance.speech_end_estimates_ms,
        utterance.answers,
        utterance.answer_rule,
        utterance.speaker,
        utterance.category,
        utterance.dialogue,
        utterance.marks,
    )


def _now() -> datetime:
    return datetime.now(UTC)
