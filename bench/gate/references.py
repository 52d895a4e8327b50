"""What a candidate is compared with: another version in the same run, or a stored run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firstpacket.bench.compare.comparable import over_time, side_by_side
from firstpacket.bench.compare.pairs import Pairs, clip_by_clip, turn_by_turn
from firstpacket.bench.errors import RunError
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.checks import Noise, refused
from firstpacket.bench.gate.fingerprint import conditions, key, unlike
from firstpacket.bench.gate.noise import noise
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

    def refusal(self, run: Run, label: str) -> Check | None:
        """Why the candidate's label cannot be compared with it; None if it can."""
        ...

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """The label's values of one round, paired with the baseline's."""
        ...

    def noise(self, run: Run, label: str) -> Noise:
        """How far the same code would differ."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be known of the choice of baselines; complete once all labels are compared."""
        ...


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Another version, measured turn by turn with the candidate."""

    source: CodeVersion

    @property
    def name(self) -> str:
        """Its source."""
        return self.source.name

    def refusal(self, run: Run, label: str) -> Check | None:
        """Only if the run is invalid; otherwise machine, corpus and clock are the same."""
        reasons = side_by_side((run, label + BASE), (run, label))
        return refused(label, "not comparable", "; ".join(each.reason for each in reasons)) if reasons else None

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """Turn by turn."""
        return turn_by_turn(run, label + BASE, label, known)

    def noise(self, run: Run, label: str) -> Noise:
        """The noise within one A/A run."""
        return noise(key(conditions(run, label)), between_runs=False)

    @property
    def notices(self) -> tuple[str, ...]:
        """None: there is no choice."""
        return ()


class Stored:
    """An earlier run, by folder or baseline name, or `auto` for the newest baseline under the same conditions, label by
    label."""

    source = None

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

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """Clip by clip."""
        base = self._base(run, label)
        assert base is not None
        return clip_by_clip(base, run, label, known)

    def noise(self, run: Run, label: str) -> Noise:
        """The noise between A/A runs at different times."""
        return noise(key(conditions(run, label)), between_runs=True)

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
