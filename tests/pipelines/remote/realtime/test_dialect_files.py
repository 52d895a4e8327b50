"""`dialect=FILE.toml`: a table of the user's; what is wrong with it is said before anything is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.realtime_server import Server
from support.realtime_turns import loaded

from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.remote.realtime.dialect import LARGEST_FILE, load_dialect

PAGE = Path(__file__).resolve().parents[4] / "docs/realtime.md"


def written(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("inptu-rate = 8000", r"Unknown field in .*mine\.toml 'inptu-rate'\. Did you mean 'input-rate'\?"),
        ('input-rate = "fast"', r"mine\.input-rate: expected a whole number, found text 'fast'"),
        ("input-rate = 4", r"mine\.input-rate is 4 Hz, but it must lie between 8000 and 48000"),
        ('turns = ["clap"]', r"mine\.turns\[0\]: expected one of manual, server_vad, semantic_vad, found text 'clap'"),
        ("turns = []", "needs at least one of turns and of formats"),
        ("start-of-turn = [{ final = true }]", "a message without a type in start-of-turn or end-of-turn"),
        ('base = "opena"', r"Unknown base in .*mine\.toml 'opena'\. Did you mean 'openai'\?"),
        ("base = [3]", r"Unknown base in .*mine\.toml '\[3\]'"),
        ('name = "openai"', "Unknown field in .*mine"),
        ("turns: manual", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        ("a = " + "[" * 5_000, "is not TOML"),
        ("#" * (LARGEST_FILE + 1), f"is larger than {LARGEST_FILE} bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_dialect(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the dialect .*none\.toml: No such file"):
        load_dialect(str(tmp_path / "none.toml"))


def test_the_example_in_the_documents_works(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    file = written(tmp_path, block[1])
    server = Server(rate=16_000, renames={"response.output_audio.delta": "reply.audio"})
    pipeline = loaded(server, dialect=file)
    assert pipeline.turn().outcome == "answered"
    assert server.peers[0].target.url == "ws://127.0.0.1:1/voice"
    facts = pipeline.facts.facts
    assert (facts["dialect"], facts["dialect_checked"]) == ("mine", "our server, version 3, 30 November 2026")
