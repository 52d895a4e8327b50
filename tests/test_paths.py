"""A file that a user named is there whole, as it was, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstpacket.bench.errors import RunError
from firstpacket.bench.paths import write_file


def test_folders_are_created_and_no_temporary_file_remains(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b.txt"
    assert write_file(out, "old") == out
    write_file(out, b"new")
    assert out.read_bytes() == b"new"
    assert [each.name for each in out.parent.iterdir()] == ["b.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_file(tmp_path / "out", "old")

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"No space left on device\. Choose another file"):
        write_file(out, "new")
    assert out.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_device_is_written_to_instead_of_replaced() -> None:
    write_file(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
