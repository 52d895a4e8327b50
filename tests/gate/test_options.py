"""The options of `bench gate`, from the command line and `bench.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import here
from support.simulated_starts import simulate


def test_flags_win_over_the_file_and_old_ones_name_the_new(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, a=100)
    (cwd / "bench.toml").write_text(
        "turns = 7\n[[pipeline]]\nname = 'scripted'\nlabel = 'a'\n[gate]\nmax-minutes = 1\n"
    )
    assert here("gate", "--no-report").returncode == 12
    assert here("gate", "--no-report", "--max-minutes", "2", "--out", "3", "--allow", "no-baseline").returncode == 0
    for arguments, word in (
        (("--allow", "regressed"), "regressed"),
        (("--max-minutes", "0"), "between 0.01 and 1440"),
        (("--pairs", "100"), "--max-minutes"),
        (("--against", "main", "--baseline", "main"), "cannot be combined"),
        (("--resume", "3", "--aa"), "takes no other options"),
    ):
        wrong = here("gate", *arguments, "--out", "4")
        assert wrong.returncode == 2 and word in wrong.stderr
