"""The reference run in reports/reference: a stranger can compute every figure of its report again."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.store import read_run

REFERENCE = Path(__file__).parents[2] / "reports" / "reference"


def test_every_figure_is_computed_again_bit_for_bit() -> None:
    if not REFERENCE.is_dir():
        pytest.skip("reports/ is not in a source distribution")
    found = recompute(read_run(REFERENCE))
    assert found.equal and found.turns_equal == found.turns >= 80 and found.figures_equal > 3000
