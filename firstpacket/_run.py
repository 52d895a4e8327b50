"""A run as a public object: its figures as DataFrames, its report as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, overload

from firstpacket import _frames
from firstpacket.bench.format import counted

if TYPE_CHECKING:
    import pandas as pd

    from firstpacket.bench.record.store import Run as Record


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A run read from its folder; created by `firstpacket.run` and `firstpacket.read`.

    Methods raise `RunError` if the folder is damaged, and `MissingDependency` without pandas.
    """

    _record: Record

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._record.path

    @property
    def name(self) -> str:
        """The run's own name: date, time and systems."""
        return self._record.manifest.run

    @property
    def systems(self) -> tuple[str, ...]:
        """The labels of the measured systems, in the order given; the first is the base of comparisons."""
        return tuple(system.label for system in self._record.manifest.labels)

    @property
    def notices(self) -> tuple[str, ...]:
        """Caveats on the figures, in sentences."""
        from firstpacket.bench.summary.summarise import summarise

        return summarise(self._record).notices

    def turns(self) -> pd.DataFrame:
        """One row per turn of any phase and outcome, one column per metric (`first_packet_latency_ms`)."""
        return _frames.turns(self._record)

    def stages(self) -> pd.DataFrame:
        """One row per span of a stage; times are ms after the turn's t0."""
        return _frames.stages(self._record)

    def packets(self) -> pd.DataFrame:
        """One row per reply audio packet; `at_ms` counts from the turn's t0."""
        return _frames.packets(self._record)

    def summary(self) -> pd.DataFrame:
        """One row per system and metric: median `p50` with its 95 % interval `low` to `high`, mean, percentiles."""
        return _frames.summary(self._record)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the HTML report, by default `report.html` in the run folder; returns its path, in a notebook a link."""
        from firstpacket._link import LinkedPath
        from firstpacket.bench.report.html import write_report

        place = Path(path) if path is not None else self.path / "report.html"
        return LinkedPath(write_report([self._record], place))

    def __repr__(self) -> str:
        turns = counted(len(self._record.turns), "turn")
        return f"<firstpacket.Run {self.name}: {turns} of {', '.join(self.systems)}, in {self.path}>"

    def _repr_html_(self) -> str:
        """For notebooks: the run's sentences and its table."""
        from firstpacket.bench.report.notebook import run_html

        return run_html(self._record)


class Runs(Sequence[Run]):
    """The runs below a folder, oldest first; created by `firstpacket.runs`."""

    def __init__(self, found: Sequence[Run], skipped: Sequence[tuple[str, str]] = ()) -> None:
        self._found = tuple(found)
        self.skipped = tuple(skipped)
        """Folders with a run that cannot be read, each with the reason."""

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> Runs: ...

    def __getitem__(self, place: int | slice) -> Run | Runs:
        """A run by its index, or a slice of runs."""
        return Runs(self._found[place], self.skipped) if isinstance(place, slice) else self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._found)

    def summary(self) -> pd.DataFrame:
        """`Run.summary` of all runs concatenated, with the columns `run` and `created` (UTC) first."""
        return _frames.concatenated((_dated(each, each.summary()) for each in self), _DATED | _frames.SUMMARY)

    def turns(self) -> pd.DataFrame:
        """`Run.turns` of all runs concatenated, with the columns `run` and `created` (UTC) first."""
        return _frames.concatenated((_dated(each, each.turns()) for each in self), _DATED | _frames.TURNS)

    def __repr__(self) -> str:
        return f"<firstpacket.Runs: {len(self)}, {len(self.skipped)} skipped>"

    def _repr_html_(self) -> str:
        """For notebooks: one line per run."""
        rows = "".join(f"<li>{escape(repr(each)[1:-1])}</li>" for each in self)
        return f"<ol>{rows}</ol>"


_DATED = {"run": "string", "created": "datetime64[ns, UTC]"}


def _dated(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    created = pd.Timestamp(run._record.manifest.created).tz_convert("UTC")
    return _frames.with_columns(frame, {"run": (run.name, "string"), "created": (created, _DATED["created"])})
