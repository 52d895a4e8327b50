"""What a candidate is held against: another version in the same run, or a run that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from firstpacket.bench.compare.comparable import over_time, side_by_side
from firstpacket.bench.compare.pairs import Pairs, clip_by_clip, turn_by_turn
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.checks import Noise, refused
from firstpacket.bench.gate.fingerprint import conditions, key, unlike
from firstpacket.bench.gate.noise import noise
from firstpacket.bench.gate.result import Check
from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.store import MANIFEST, Run, read_run
from firstpacket.bench.run.code_version import BASE, CodeVersion

AUTO = "auto"


class Opponent(Protocol):
    """The baseline, wherever it comes from."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def source(self) -> CodeVersion | None:
        """The version whose labels are asked beside the candidate's, if it is measured now."""
        ...

    def refusal(self, run: Run, label: str) -> Check | None:
        """Why the candidate's label cannot be held against it; None if it can."""
        ...

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """The label's values of one round beside the baseline's."""
        ...

    def noise(self, run: Run, label: str) -> Noise:
        """What the same code would show."""
        ...


class Concurrent:
    """Another version, asked in turn with the candidate."""

    def __init__(self, source: CodeVersion) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """Its source."""
        return self._source.name

    @property
    def source(self) -> CodeVersion | None:
        """How its workers are started."""
        return self._source

    def refusal(self, run: Run, label: str) -> Check | None:
        """The run itself may be invalid; else both met the same machine, corpus and clock."""
        reasons = side_by_side((run, label + BASE), (run, label))
        return refused(label, "not comparable", "; ".join(each.said for each in reasons)) if reasons else None

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """Turn by turn."""
        return turn_by_turn(run, label + BASE, label, known)

    def noise(self, run: Run, label: str) -> Noise:
        """What an A/A run showed within one run."""
        return noise(key(conditions(run, label)), between_runs=False)


class Stored:
    """A run measured earlier: by its folder, by the name under which it was kept, or `auto` for the newest one under
    the same conditions, label by label."""

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._is_run = (Path(asked) / MANIFEST).is_file()
        self._used: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What was used, where something was found."""
        used = tuple(dict.fromkeys(self._used.values()))
        return f"baseline {', '.join(used) or self._asked}"

    @property
    def source(self) -> CodeVersion | None:
        """Nothing is measured beside the candidate."""
        return None

    def refusal(self, run: Run, label: str) -> Check | None:
        """No baseline, or one under other conditions."""
        base = self._base(run, label)
        if base is None:
            where = "for these conditions" if self._asked == AUTO else f"named {self._asked} with this label"
            said = f"none {where} in {baselines.folder()}; to keep this run as one: bench baseline save {run.path}"
            return refused(label, "no baseline", said)
        if reasons := _unlike(base, run, label):
            return refused(label, "not comparable", f"{base.manifest.run} and this run differ: {'; '.join(reasons)}")
        return None

    def pairs(self, run: Run, label: str, known: Metric) -> Pairs:
        """Clip by clip."""
        base = self._base(run, label)
        assert base is not None
        return clip_by_clip(base, run, label, known)

    def noise(self, run: Run, label: str) -> Noise:
        """What A/A runs at different times showed."""
        return noise(key(conditions(run, label)), between_runs=True)

    def _base(self, run: Run, label: str) -> Run | None:
        if self._is_run:
            base: Run | None = read_run(Path(self._asked))
        else:
            chosen = self._asked != AUTO
            found = baselines.named(self._asked) if chosen else baselines.newest(label, conditions(run, label))
            base = found.run() if found else None
        if base is None or label not in base.labels:
            return None
        self._used[label] = base.path.name
        return base


def _unlike(base: Run, run: Run, label: str) -> tuple[str, ...]:
    """Why two runs must not be compared. A default that changed is no reason: it is a part of what changed."""
    found = [each.said for each in over_time(base, run, label) if each.rule != "options"]
    before, after = conditions(base, label), conditions(run, label)
    options = [name for name in dict.fromkeys([*before, *after]) if name.startswith("option ")]
    return (*found, *unlike({name: before.get(name) for name in options}, {name: after.get(name) for name in options}))
