"""A comparison as a public object: its sentences, and its metrics as a DataFrame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstpacket import _frames

if TYPE_CHECKING:
    import pandas as pd

    from firstpacket.bench.compare.findings import Report
    from firstpacket.bench.record.store import Run as Record

METRICS = {
    "base": "string",
    "other": "string",
    "metric": "string",
    "title": "string",
    "unit": "string",
    "finding": "string",
    "pairs": "int64",
    "clips": "int64",
    "dropped": "int64",
    "difference": "Float64",
    "difference_low": "Float64",
    "difference_high": "Float64",
    "ratio": "Float64",
    "ratio_low": "Float64",
    "ratio_high": "Float64",
}


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A comparison of systems of one run, or of two runs; created by `firstpacket.compare`."""

    _report: Report
    _records: tuple[Record, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The result, one sentence per pair of systems: difference, interval, and the data behind it."""
        return tuple(found.statement for found in self._report.findings)

    @property
    def notices(self) -> tuple[str, ...]:
        """Caveats on the figures of the runs compared, in sentences; of two runs, each names its run."""
        from firstpacket.bench.summary.summarise import summarise

        if len(self._records) == 1:
            return summarise(self._records[0]).notices
        return tuple(f"{record.path}: {notice}" for record in self._records for notice in summarise(record).notices)

    def metrics(self) -> pd.DataFrame:
        """One row per pair of systems and metric: difference `other - base` and ratio, each with its 95 % interval."""
        rows = []
        for found in (each for pair in self._report.findings for each in pair.metrics):
            difference = _frames.estimate_columns(found.difference, "value")
            ratio = _frames.estimate_columns(found.ratio, "value")
            rows.append(
                {name: getattr(found, name) for name in METRICS if hasattr(found, name)}
                | {"dropped": sum(found.dropped.values())}
                | {"difference": difference["value"], "ratio": ratio["value"]}
                | {f"difference_{end}": difference[end] for end in ("low", "high")}
                | {f"ratio_{end}": ratio[end] for end in ("low", "high")}
            )
        return _frames.frame(rows, METRICS)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def __repr__(self) -> str:
        return f"<firstpacket.Comparison: {'; '.join(self.sentences)}>"

    def _repr_html_(self) -> str:
        """For notebooks: the sentences, the table of metrics and the notices."""
        from firstpacket.bench.report.notebook import comparison_html

        return comparison_html(self._report, self.notices)
