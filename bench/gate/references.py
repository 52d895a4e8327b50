"""What a candidate is compared with: another version in the same run, or a stored run."""

from __future__ import annotations

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
    def looked_at_once(self) -> bool:
        """Whether more starts of the candidate would say no more about a change than the first few."""
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
        """What must be known of the choice of baselines; complete once all labels are compared."""
        ...


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Another version, measured turn by turn with the candidate."""

    source: CodeVersion
    looked_at_once = False

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


class Stored:
    """An earlier run, by folder or baseline name, or `auto` for the newest baseline under the same conditions, label by
    label."""

    source = None
    looked_at_once = True
    """How much runs differ limits what can be told."""

    def __init__(self, asked: str) -> None:
        """Raises `RunError` if what was asked for is damaged."""
        self._asked = asked
        self._chosen = None if asked == AUTO else _chosen(asked)
        self._used: dict[str, str] = {}
        self._damaged: dict[str, str] = {}
        """Why baselines that `auto` could have taken cannot be used."""

    @property
    def name(self) -> str:
        """The baselines in use, or what was asked for if none was found."""
        used = tuple(dict.fromkeys(self._used.values()))
        return f"baseline {', '.join(used) or self._asked}"

    def refusal(self, run: Run, label: str) -> Check | None:
        """No baseline, or one under other conditions."""
        base = self._base(run, label)
        if base is None:
            where = "for these conditions" if self._asked == AUTO else f"named {self._asked} with this label"
            said = f"none {where} in {baselines.folder()}; to save this run as one: bench baseline save {run.path}"
            return refused(label, "no baseline", "; ".join([said, *self.notices]))
        if reasons := _unlike(base, run, label):
            return refused(label, "not comparable", f"{base.manifest.run} and this run differ: {'; '.join(reasons)}")
        return None

    def pairs(self, run: Run, label: str, known: Metric) -> list[Pairs]:
        """Clip by clip, for each stored run."""
        base = self._base(run, label)
        assert base is not None
        return [clip_by_clip(base, run, label, known)]

    def change(self, pairs: Sequence[Pairs], look: Look) -> Change:
        """Over the stored runs; the only look."""
        count = look.counts[-1]
        return change_since(pairs, replace(look, counts=(count,), most=count, final=True))

    @property
    def notices(self) -> tuple[str, ...]:
        """An incomplete run, and damaged baselines that were passed over."""
        passed_over = (f"baseline {name} was not used: it is damaged: {why}" for name, why in self._damaged.items())
        return (*(self._chosen.notices if self._chosen else ()), *passed_over)

    def _base(self, run: Run, label: str) -> Run | None:
        base = self._chosen if self._asked != AUTO else self._newest(run, label)
        if base is None or label not in base.labels:
            return None
        self._used[label] = base.path.name
        return base

    def _newest(self, run: Run, label: str) -> Run | None:
        found, damaged = baselines.newest(label, conditions(run, label))
        self._damaged |= {each.name: each.problem for each in damaged}
        return found.run() if found else None


def _chosen(asked: str) -> Run | None:
    """The run of a folder or of a baseline; None if there is neither. Raises `RunError` if it cannot be used."""
    path = Path(asked)
    if not (path / MANIFEST).is_file() and (found := baselines.named(asked)) is not None:
        return found.run()
    run = read_run(path) if path.is_dir() else None
    if run is not None and not any(turn.is_measured and turn.is_answered for turn in run.turns):
        raise RunError(f"{path} has no answered turn, so nothing can be compared with it. Choose another run.")
    return run


def _unlike(base: Run, run: Run, label: str) -> tuple[str, ...]:
    """Why two runs must not be compared. A changed default is no reason: it is part of the change."""
    found = [each.reason for each in over_time(base, run, label) if each.rule != "options"]
    before, after = conditions(base, label), conditions(run, label)
    options = [name for name in dict.fromkeys([*before, *after]) if name.startswith("option ")]
    return (*found, *unlike({name: before.get(name) for name in options}, {name: after.get(name) for name in options}))
