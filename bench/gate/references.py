"""What a candidate is compared with: another version in the same run, or a stored run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from firstpacket.bench.compare.comparable import over_time, side_by_side
from firstpacket.bench.compare.pairs import Pairs, clip_by_clip, start_by_start
from firstpacket.bench.errors import RunError
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.change import Look, change, change_since
from firstpacket.bench.gate.checks import refused
from firstpacket.bench.gate.decision import Change
from firstpacket.bench.gate.fingerprint import conditions, unlike
from firstpacket.bench.gate.result import Check
from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.store import MANIFEST, Run, read_run
from firstpacket.bench.run.code_version import BASE, CodeVersion

AUTO = "auto"


class BaselineSource(Protocol):
    """The baseline, wherever it comes from."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def source(self) -> CodeVersion | None:
        """The version to measure concurrently with the candidate, if any."""
        ...

    @property
    def single_look(self) -> bool:
        """Whether the gate looks only once at a change: more starts of the candidate would say no more about it."""
        ...

    def refusal(self, run: Run, label: str) -> Check | None:
        """Why the candidate's label cannot be compared with it; None if it can."""
        ...

    def pairs(self, run: Run, label: str, known: Metric) -> list[Pairs]:
        """The label's values, paired with the baseline's: for each start, or for each stored run."""
        ...

    def change(self, pairs: Sequence[Pairs], look: Look) -> Change:
        """How much the candidate differs."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What users must know about the choice of baselines; complete once all labels are compared."""
        ...


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Another version, measured turn by turn with the candidate."""

    source: CodeVersion
    single_look = False

    @property
    def name(self) -> str:
        """Its source."""
        return self.source.name

    def refusal(self, run: Run, label: str) -> Check | None:
        """Only if the run is invalid; otherwise machine, corpus and clock are the same."""
        reasons = side_by_side((run, label + BASE), (run, label))
        return refused(label, "not comparable", "; ".join(each.reason for each in reasons)) if reasons else None

    def pairs(self, run: Run, label: str, known: Metric) -> list[Pairs]:
        """Turn by turn, for each start."""
        return start_by_start(run, label + BASE, label, known)

    def change(self, pairs: Sequence[Pairs], look: Look) -> Change:
        """Over the starts."""
        return change(pairs, look)

    @property
    def notices(self) -> tuple[str, ...]:
        """None: there is no choice."""
        return ()


@dataclass(frozen=True, slots=True)
class _Earlier:
    """Earlier runs to compare with."""

    name: str
    runs: tuple[Run, ...]
    """None if the baseline is outdated."""


class Stored:
    """Earlier runs: a run folder, the baseline of a name, or `auto` for the newest one under the same conditions, label
    by label."""

    source = None
    single_look = True
    """How much runs differ limits what can be told."""

    def __init__(self, wanted: str) -> None:
        """Raises `RunError` if the wanted baseline is damaged."""
        self._wanted = wanted
        self._named = None if wanted == AUTO else _named(wanted)
        self._found: dict[str, _Earlier | None] = {}
        """What each label is compared with."""
        self._passed_over: dict[str, str] = {}
        """Why baselines that `auto` could have taken cannot be used."""

    @property
    def name(self) -> str:
        """The baselines in use, or the wanted one if none was found."""
        used = tuple(dict.fromkeys(found.name for found in self._found.values() if found))
        return f"baseline {', '.join(used) or self._wanted}"

    def refusal(self, run: Run, label: str) -> Check | None:
        """No baseline, or one under other conditions."""
        earlier = self._earlier(run, label)
        if earlier is None:
            where = "for these conditions" if self._wanted == AUTO else f"named {self._wanted} with this label"
            how = f"to save this run as one: bench baseline save {shlex.quote(str(run.path))}"
            reason = f"none {where} in {baselines.folder()}; {how}"
            return refused(label, "no baseline", "; ".join([reason, *self.notices]))
        if not earlier.runs:
            reason = baselines.outdated(earlier.name, shlex.quote(str(run.path)))
            return refused(label, "not comparable", f"baseline {earlier.name} {reason}")
        for base in earlier.runs:
            if reasons := _unlike(base, run, label):
                reason = f"{base.manifest.run} and this run differ: {'; '.join(reasons)}"
                return refused(label, "not comparable", reason)
        return None

    def pairs(self, run: Run, label: str, known: Metric) -> list[Pairs]:
        """Clip by clip, for each stored run."""
        earlier = self._earlier(run, label)
        assert earlier is not None
        return [clip_by_clip(base, run, label, known) for base in earlier.runs]

    def change(self, pairs: Sequence[Pairs], look: Look) -> Change:
        """Over the stored runs; the only look."""
        count = look.counts[-1]
        return change_since(pairs, replace(look, counts=(count,), most_starts=count, final=True))

    @property
    def notices(self) -> tuple[str, ...]:
        """Incomplete runs, and baselines that were passed over."""
        incomplete = (notice for run in (self._named.runs if self._named else ()) for notice in run.notices)
        passed_over = (f"baseline {name} was not used: it {why}" for name, why in self._passed_over.items())
        return (*incomplete, *passed_over)

    def _earlier(self, run: Run, label: str) -> _Earlier | None:
        """What a label is compared with, read once."""
        if label not in self._found:
            found = self._newest(run, label) if self._wanted == AUTO else self._named
            has_label = found is not None and all(label in base.labels for base in found.runs)
            self._found[label] = found if has_label else None
        return self._found[label]

    def _newest(self, run: Run, label: str) -> _Earlier | None:
        found, others = baselines.newest(label, conditions(run, label))
        for each in others:
            self._passed_over[each.name] = each.problem if each.outdated else f"is damaged: {each.problem}"
        return _Earlier(found.name, found.runs()) if found else None


def _named(wanted: str) -> _Earlier | None:
    """The run of a folder, or those of a baseline; None if there is neither. Raises `RunError` if damaged."""
    path = Path(wanted)
    if not (path / MANIFEST).is_file() and (found := baselines.named(wanted)) is not None:
        return _Earlier(found.name, () if found.outdated else found.runs())
    if not path.is_dir():
        return None
    run = read_run(path)
    if not any(turn.is_measured and turn.is_answered for turn in run.turns):
        raise RunError(f"{path} has no answered turn, so nothing can be compared with it. Choose another run.")
    return _Earlier(path.name, (run,))


def _unlike(base: Run, run: Run, label: str) -> tuple[str, ...]:
    """Why two runs must not be compared. A changed default is no reason: it is part of the change."""
    found = [each.reason for each in over_time(base, run, label) if each.rule != "options"]
    before, after = conditions(base, label), conditions(run, label)
    options = [name for name in dict.fromkeys([*before, *after]) if name.startswith("option ")]
    return (*found, *unlike({name: before.get(name) for name in options}, {name: after.get(name) for name in options}))
