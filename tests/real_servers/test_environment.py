"""Environments are made of exact versions, again when those change, and what cannot be had is said, not raised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from real_servers import environment
from real_servers.environment import ALL, Environment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock and the environment of one server, whose lock is empty."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "LOCKS", tmp_path)
    monkeypatch.setattr(environment, "ALL", (Environment("some"),))
    (tmp_path / "some.txt").touch()
    return tmp_path


@pytest.mark.parametrize("locked", ALL, ids=lambda locked: locked.name)
def test_locks_have_exact_versions_and_nothing_of_where_they_were_found(locked: Environment) -> None:
    lines = locked.lock.read_text("utf-8").splitlines()
    assert len(lines) > 10
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", line)] == []


def test_an_environment_is_made_once_and_again_when_its_lock_changes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for change in ("", "", "\n"):
        with (folder / "some.txt").open("a") as lock:
            lock.write(change)
        environment.main(["--offline"])
        said.append(capsys.readouterr().out)
        assert Environment("some").is_made() and Environment("some").python.exists()
    assert said[1] == "environment some: is there\n"
    assert [bool(re.fullmatch(r"environment some: made in \d+ s\n", each)) for each in said] == [True, False, True]


def test_what_cannot_be_had_is_said_and_leaves_no_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment.main(["--offline"])
    (folder / "some.txt").write_text("no-such-package-anywhere==1\n")
    environment.main(["--offline"])
    assert "environment some: could not be made, so its tests are skipped: " in capsys.readouterr().out
    assert not Environment("some").is_made()
