"""What progress says of a check that was not precise enough: what the time or the passes still allow."""

from __future__ import annotations

import pytest

from firstpacket.bench.metrics.stopping_decision import (
    NS_PER_MINUTE,
    Continue,
    Precision,
    PrecisionCheck,
    Stop,
    progress_line,
)
from firstpacket.bench.record.rules import StoppingRule


def check(half_width: float | None) -> PrecisionCheck:
    """After four passes over the corpus."""
    return PrecisionCheck(4, 0.95, (Precision("a", "b", None, half_width, "too few clips"),))


@pytest.mark.parametrize(
    ("most_blocks", "minutes", "said"),
    [
        # Four passes took 10 minutes: in 40 there is time for 16, and four times as many halve the interval.
        (1000, 40.0, "; at this rate ±10 % at best in the 40 minutes allowed; next check after 8 passes"),
        # Only nine passes are allowed: 20 % times the root of 4/9.
        (9, 1000.0, "; at this rate ±13.3 % at best in the 9 passes allowed; next check after 8 passes"),
        # In 2000 minutes there is time for 800 passes: 2 % is in reach, and nothing is said.
        (1000, 2000.0, "target ±2 %; next check after 8 passes"),
    ],
)
def test_what_the_limits_allow_is_forecast_by_the_square_root_law(most_blocks: int, minutes: float, said: str) -> None:
    rule = StoppingRule(0.02, "share", most_blocks, minutes)
    assert progress_line(Continue(check(0.2), 8), rule, 10 * NS_PER_MINUTE).endswith(said)


def test_an_unknown_precision_forecasts_nothing() -> None:
    rule = StoppingRule(0.02, "share", 9, 40.0)
    assert "at this rate" not in progress_line(Continue(check(None), 8), rule, 10 * NS_PER_MINUTE)


def test_a_precise_run_needs_no_forecast() -> None:
    line = progress_line(Stop(check(0.01)), StoppingRule(0.02, "share", 9, 40.0), 10 * NS_PER_MINUTE)
    assert line.endswith("narrow enough") and "at this rate" not in line
