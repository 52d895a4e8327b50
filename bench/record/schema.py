"""The versioned schema of a run folder.

    RUN/
      manifest.json     one `Manifest`: options, systems and corpus
      segments.jsonl    one `Segment` per start of the manager (the run, each resumption): environment, weights
      traces.jsonl      one `Evidence` line per turn: everything raw
      limit.json        one `LimitReached`, if a limit ended the run; removed when it goes on
      turns.jsonl       one `Turn` line per turn, written after its evidence: the commit record, narrow
      audio/            replies, if kept
      worker-LABEL.log  output of the label's worker
      lock              locked while a manager is running

Times are integer nanoseconds on the host's monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.options import Options
from firstpacket.bench.pipeline import OptionValue, Settings, Stage, Weights
from firstpacket.bench.record.gpu import GpuIdentity, GpuProfile
from firstpacket.bench.record.rules import StoppingRule, UsageLimits, WarmupRule
from firstpacket.bench.record.telemetry import Collections, CpuTime, Telemetry
from firstpacket.bench.timing.spans import StageSpan, TurnTrace
from firstpacket.bench.vocabulary import AnswerRule, Architecture, Flag, Outcome, StageKind

SCHEMA = 2

Phase = Literal["cold", "warmup", "measured", "idle", "profiled"]
"""`cold`: first after loading; `measured`: warm; `idle`: first after a stated time with nothing to do."""
InputMode = Literal["file", "realtime"]
Start = Literal["speech_end", "last_frame", "endpoint", "request"]
"""Where the clock of a turn starts: `firstpacket.bench.metrics.t0`."""


@dataclass(frozen=True, slots=True)
class System:
    """What is measured: one pipeline with one set of options (all of them, defaults filled in). `label` is its name."""

    label: str
    pipeline: str
    device: str
    dtype: str
    options: dict[str, OptionValue]
    stages: tuple[Stage, ...] = ()
    source: str = ""
    """The version of the code, if not this one, such as `git 1a2b3c4d5e6f (main)`. Its options are those that were
    given: it fills in its own defaults."""
    seed: int = 0
    """Seed of dummy weights."""
    finds_speech_end: bool = False
    """Whether it detects the end of speech itself, in the silence that follows."""
    kind: Architecture = "other"
    engines: dict[StageKind, str] = field(default_factory=dict)
    """The engine chosen for each kind of stage; unknown for another version of the code."""
    overlaps: bool = False
    """Whether all its stages work at the same time."""
    needs_server: bool = False
    """Whether it works only with a server that the user runs, or a provider's."""

    @property
    def settings(self) -> Settings:
        """What its pipeline is made with."""
        return Settings(self.device, self.dtype, self.seed, self.options)

    @property
    def is_black_box(self) -> bool:
        """Whether it, or a part of it, cannot be looked into: how long it listens, thinks and speaks is not known."""
        return self.kind == "remote" or any(stage.role == "opaque" for stage in self.stages)

    @property
    def kinds(self) -> dict[str, StageKind]:
        """Kinds of its stages by id, without `other`."""
        return {stage.id: stage.kind for stage in self.stages if stage.kind != "other"}


@dataclass(frozen=True, slots=True)
class UtteranceFacts:
    """What the record keeps of one utterance."""

    id: str
    sha256: str
    duration_ms: float
    speech_end_ms: float
    speech_end_source: Literal["annotated", "estimated"]
    text: str | None = None
    licence: str = ""
    speech_end_estimates_ms: dict[str, float | None] = field(default_factory=dict)
    """Ends of speech by detector, if the corpus was checked (None: no speech detected)."""
    answers: tuple[str, ...] = ()
    """Right answers, if the corpus has them."""
    answer_rule: AnswerRule = "equals"
    speaker: str = ""
    category: str = ""
    dialogue: str = ""
    marks: tuple[str, ...] = ()
    """What is notable about the recording, such as how its channels were mixed; `notices` explains each."""


SPEECH_END = {
    "file": "end of speech (the clip is cut there and handed over whole)",
    "realtime": "end of speech (start of the clip plus the media time of its speech)",
}
T0 = {
    "last_frame": "last frame of speech delivered",
    "endpoint": "end of the user's turn decided by the pipeline (end of speech, where nothing decides)",
    "request": "first work once all speech was there",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The definition of a run; written once, before the first turn."""

    schema: int
    run: str
    created: str
    command: tuple[str, ...]
    options: Options
    """The options, with derived values filled in (`threads`, `idle_turns`)."""
    turns: int
    """Measured turns of every system; the maximum if there is a `stopping_rule`, or if it is `replicated`."""
    warmup: int
    """Warm-up turns of every system after its cold one; the maximum if there is a `warmup_rule`."""
    labels: tuple[System, ...]
    corpus: str
    corpus_source: str
    corpus_sha256: str
    utterances: tuple[UtteranceFacts, ...]
    notices: tuple[str, ...] = ()
    warmup_rule: WarmupRule | None = None
    """The rule that ends the warm-up; None if the number of turns was set."""
    stopping_rule: StoppingRule | None = None
    """The rule that ends the measured turns at a given precision; None if their number was set."""
    replicated: bool = False
    """Whether all systems are started in fresh processes again and again, as a gate does; each start is a segment."""
    redacted: bool = False
    """Whether it is a copy without texts (`bench redact`): figures that follow from texts cannot be derived again."""

    @property
    def t0(self) -> str:
        """Where the clock starts, for people."""
        return T0.get(self.options.t0, SPEECH_END[self.options.input])

    @property
    def leaves_early(self) -> bool:
        """Whether turns end after their first packet, so that figures of whole replies do not exist."""
        return self.options.leave_after == "first_packet"

    @property
    def threads(self) -> int:
        """CPU threads per worker."""
        return self.options.threads or 1


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """Facts that a worker reports once it has loaded."""

    label: str
    load_ns: int
    pid: int
    weights: tuple[Weights, ...]
    facts: dict[str, OptionValue] = field(default_factory=dict)
    event_cost_ns: int = 0
    """Cost of one recording of the instrumentation in that process, of the most expensive kind; 0 if not measured."""
    gpu: GpuIdentity | None = None
    """The GPU it uses; `None` on the CPU."""
    code: tuple[str, ...] = ()
    """Folders that its modules were loaded from, without the standard library."""
    servers: tuple[LocalServer, ...] = ()
    """Servers on this machine that it uses: their processes count as the run's own."""
    notices: tuple[str, ...] = ()
    """What the pipeline says a reader of its figures should know, in a sentence or two each."""
    remote: bool = False
    """Whether a server that it uses is not on this machine's loopback interface."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One uninterrupted part of a run: one start of the manager."""

    segment: int
    started: str
    wall_ns: int
    """Wall-clock time, ns since 1970, at `monotonic_ns`."""
    monotonic_ns: int
    environment: dict[str, OptionValue | None]
    packages: dict[str, str]
    labels: tuple[LabelFacts, ...]
    metrics: dict[str, int] = field(default_factory=dict)
    """Versions of the metric definitions behind the figures; empty in runs from before they were recorded."""
    usage_limits: UsageLimits | None = None
    """What was in force; None without any."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """When the microphone was due to deliver each frame, and when it did."""

    t0_ns: int
    start_ns: int
    last_frame_ns: int
    lateness_ns: tuple[int, ...]
    """Per frame: delivered minus due, ns. One frame with file input (due when it was handed over)."""


NOTHING_DELIVERED = Delivery(0, 0, 0, ())
NOTHING_SEEN = TurnTrace()
DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class TurnResult:
    """The result of one turn; the same type from the worker to the disk."""

    turn: int
    outcome: Outcome
    """From a worker, `answered` means that there were packets; the levels show whether they were audible."""
    trace: TurnTrace = NOTHING_SEEN
    delivery: Delivery = NOTHING_DELIVERED
    """Filled in by the side that plays the speech; a worker sends none."""
    reply_levels: tuple[float, ...] = ()
    """RMS of the reply in successive windows of 10 ms, linear, all packets joined gaplessly."""
    audio: str = ""
    """File of the kept reply; on disk relative to the run folder."""
    reason: str = ""
    flags: tuple[Flag, ...] = ()
    """How it was run, such as `truncated`; flags that derive from figures are not included."""
    collections: Collections | None = None
    """Garbage collections in the worker process, if there is one."""
    cpu: CpuTime | None = None
    """CPU time of that process; None on virtual time, and without a first packet."""
    profile: GpuProfile | None = None
    """The actual work of the device, in a profiled turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(TurnResult):
    """The wide line: everything raw about one turn."""

    label: str
    utterance: str
    options: Options = DEFAULTS
    """Those of its run; not stored in the line, since the manifest has them."""
    due_ns: int | None = None
    """When it was due to start; None if turns follow one another."""
    telemetry: Telemetry | None = None
    """The machine's state around the turn; `None` if it was not read."""
    kinds: dict[str, StageKind] = field(default_factory=dict)
    """Kinds of stages by id, without `other`."""

    def spans_of(self, kind: StageKind) -> list[StageSpan]:
        """Spans of all stages of a kind, ordered by time."""
        return [span for span in self.trace.spans if self.kinds.get(span.stage, "other") == kind]

    @property
    def pre_roll_ns(self) -> int:
        """How long the player waits after the first packet."""
        return round(self.options.pre_roll * 1e6)

    @property
    def microphone_limit_ns(self) -> int:
        """Maximum lateness of a frame of the user's speech."""
        return round(self.options.microphone_limit_ms * 1e6)


@dataclass(frozen=True, slots=True)
class PathPart:
    """A part of the critical path, summed over its owner: the stage, and the kind of time."""

    stage: str
    kind: Literal["host", "gpu", "queued", "launch", "unattributed"]
    ns: int


class PairKey(NamedTuple):
    """What the turns of a pair share: they were measured within seconds of each other."""

    utterance: str
    segment: int
    block: int

    @property
    def stretch(self) -> str:
        """The part of the run that it belongs to."""
        return f"{self.segment}/{self.block}"


@dataclass(frozen=True, slots=True)
class Turn:
    """The narrow line: one turn's outcome and figures. Its presence commits the turn."""

    turn: int
    segment: int
    block: int
    phase: Phase
    label: str
    utterance: str
    outcome: Outcome
    figures: dict[str, int | float]
    """By metric name; times in ns. Figures that could not be measured are absent."""
    path: tuple[PathPart, ...]
    """Critical path to the first packet; sums exactly to `first_packet_latency`."""
    path_error_ns: int
    """Bound on the error of boundaries taken from GPU spans; 0 without any."""
    hidden: dict[str, int]
    """Per stage: ns of work before the first packet that was not on the path."""
    evidence_at: int
    evidence_bytes: int
    evidence_crc32: int
    flags: tuple[Flag, ...] = ()
    reason: str = ""
    lateness: tuple[int, ...] = ()
    """Frames of the user's speech by how late they came, in the buckets of
    `bench/metrics/late_microphone.py`; none with file input."""

    @property
    def is_measured(self) -> bool:
        """Whether figures of the run count it."""
        return self.phase == "measured"

    @property
    def is_answered(self) -> bool:
        """Whether there was an audible answer; of one that ended early, whether there was a packet."""
        return self.outcome == "answered"

    @property
    def left_early(self) -> bool:
        """Whether it was ended after its first packet."""
        return Flag.LEFT_EARLY in self.flags

    @property
    def pair_key(self) -> PairKey:
        """The key shared with the turns of other labels that it is paired with."""
        return PairKey(self.utterance, self.segment, self.block)
