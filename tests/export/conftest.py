from __future__ import annotations

import pytest
from support.runs import HOSTILE, LATE, make_run

from firstpacket.bench.record.store import Run


@pytest.fixture(scope="session")
def run() -> Run:
    """`quick` answers every turn, enough for a p90; `slow` answers two of four; `never` none."""
    values = {
        "quick": [100.0 + at for at in range(64)],
        "slow": [300.0, "timeout", 500.0, "failed"],
        "never": ["silent", "interrupted"],
    }
    return make_run(values, environment={"gpu0": "Some GPU", "gpu_driver": "580.1", "gpu0_memory_mib": 80})


@pytest.fixture(scope="session")
def invalid() -> Run:
    """Its microphone was late in every turn."""
    return make_run({"a": [100.0] * 8, "b": [200.0] * 8}, turn=LATE)


@pytest.fixture(scope="session")
def hostile() -> Run:
    """Every text that is free to be anything is."""
    return make_run(
        {"a": [100.0, "failed"], "b": [200.0, -50.0]},
        run=HOSTILE,
        environment={"gpu0": HOSTILE, "os": HOSTILE, "cpu": HOSTILE},
        turn={"reason": HOSTILE},
        clip=f"=1+{HOSTILE}",
        corpus=HOSTILE,
        notices=(HOSTILE,),
    )
