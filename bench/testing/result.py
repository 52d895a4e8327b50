"""The result of a voice test, for further assertions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.errors import RunError, UnknownName
from firstpacket.bench.format import counted
from firstpacket.bench.gate.decision import Verdict
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import censored_quantile, supported_quantile
from firstpacket.bench.summary.values import definition, shown_value


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """A label's measured turns in all starts."""

    label: str
    turns: tuple[Turn, ...]
    checks: tuple[Check, ...]
    """The gate's checks of this label."""

    @property
    def outcomes(self) -> dict[str, int]:
        """How many turns came to each outcome."""
        return dict(Counter(turn.outcome for turn in self.turns))

    @property
    def p50_ms(self) -> float:
        """Median first packet."""
        return self.quantile(0.50)

    @property
    def p90_ms(self) -> float:
        """90 % quantile of the first packet."""
        return self.quantile(0.90)

    @property
    def p95_ms(self) -> float:
        """95 % quantile of the first packet."""
        return self.quantile(0.95)

    @property
    def p99_ms(self) -> float:
        """99 % quantile of the first packet."""
        return self.quantile(0.99)

    def values(self, metric: str = HEADLINE) -> tuple[float, ...]:
        """A metric's values in the order of the turns, in ms, or in the metric's own unit if it is no time.

        Raises `RunError` for an unknown metric.
        """
        known = definition(metric)
        return tuple(value for turn in self.turns if (value := shown_value(turn, known)) is not None)

    def quantile(self, q: float, metric: str = HEADLINE) -> float:
        """A quantile in the unit of `values`. For latencies, unanswered turns count as infinitely late.

        Raises `RunError` if there are too few turns.
        """
        values = self.values(metric)
        late = len(self.turns) - len(values) if definition(metric).is_answer else 0
        found = censored_quantile(values, late, q) if late else supported_quantile(values, q)
        if found.value is None:
            raise RunError(
                f"{self.label} has {counted(found.n, 'turn')} with {metric}, too few for the {100 * q:g} % quantile, "
                f"which needs {found.needs}. Give it a ceiling (statistic and ceiling_ms): then "
                "as many turns are measured as that needs."
            )
        return found.value


@dataclass(frozen=True, slots=True)
class VoiceResult:
    """The result of a gate, and the figures behind it."""

    gate: GateResult
    folder: Path
    """The run, `gate.json`, `junit.xml`, `gate.md` and `report.html`."""
    run: Run | None
    """None if nothing could be measured."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all checks."""
        return self.gate.verdict

    def label(self, name: str) -> LabelFigures:
        """A label's figures. Raises `UnknownName`."""
        known = self.run.labels if self.run else ()
        if self.run is None or name not in known:
            raise UnknownName("label", name, known)
        return LabelFigures(
            name, tuple(self.run.measured(name)), tuple(check for check in self.gate.checks if check.label == name)
        )
