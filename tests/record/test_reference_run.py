"""The reference runs in reports/: a stranger can compute every figure of their reports again."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.store import read_run

REPORTS = Path(__file__).parents[2] / "reports"


@pytest.mark.parametrize(("name", "replayed"), [("reference", 0), ("streaming", 0), ("server", 40)])
def test_every_figure_is_computed_again_bit_for_bit(name: str, replayed: int) -> None:
    if not REPORTS.is_dir():
        pytest.skip("reports/ is not in a source distribution")
    found = recompute(read_run(REPORTS / name))
    assert found.equal and found.turns_equal == found.turns >= 80 and found.figures_equal > 3000
    assert found.turns_replayed >= replayed, "turns with a server are derived again from their messages"
