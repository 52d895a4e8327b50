"""Generated files: built once, whole or not at all, and a clear message where they cannot be kept."""

from pathlib import Path

import pytest

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models.cache import CACHE, cached, root


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def _writer(text: str):
    return lambda at: (at / "a.txt").write_text(text)


def test_an_entry_is_built_once(folder):
    assert cached("voice", _writer("first")) == folder / "voice"
    assert (cached("voice", _writer("second")) / "a.txt").read_text() == "first"


def test_a_build_that_fails_leaves_nothing(folder):
    def fail(at: Path) -> None:
        (at / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cached("voice", fail)
    assert list(folder.iterdir()) == []


def test_the_first_of_two_builders_wins(folder):
    def slow(at: Path) -> None:
        cached("voice", _writer("other process"))
        _writer("mine")(at)

    assert (cached("voice", slow) / "a.txt").read_text() == "other process"
    assert [entry.name for entry in folder.iterdir()] == ["voice"]


def test_an_emptied_folder_is_built_again(folder):
    (cached("voice", _writer("first")) / "a.txt").unlink()
    assert (cached("voice", _writer("second")) / "a.txt").read_text() == "second"


def test_a_full_disk_is_explained_whichever_library_writes(folder):
    def fill(at: Path) -> None:
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(WeightsError, match=f"No space left on device.*Free some space.*{CACHE}"):
        cached("voice", fill)
    assert list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_explained(folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match=CACHE):
        cached("voice", _writer("x"))


def test_by_default_it_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(CACHE)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert root() == tmp_path / "firstpacket"
