"""Secrets come from the environment, and are taken out of what a server says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.remote.credentials import Secrets, headers_from


@given(st.lists(st.integers(1, 80), max_size=12))
def test_the_key_is_taken_out_however_the_reply_splits_it(cuts: list[int]) -> None:
    key = "sk-very-secret-0123456789"
    text = f"It is sk-very, no: {key}{key}, and sk-"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    keys = Secrets(key).filter()
    said = "".join([keys.push(text[a:b]) for a, b in pairwise(places)]) + keys.flush()
    assert key not in said and key[3:] not in said
    assert said.startswith("It is sk-very, no: ") and said.endswith(", and sk-")


def test_text_waits_only_for_what_looks_like_the_key() -> None:
    keys = Secrets("sk-very-secret").filter()
    assert [keys.push(piece) for piece in ("so", " s", "k-", "ate")] == ["so", " s", "k-", "ate"]
    assert [keys.push(piece) for piece in ("sk-v", "ery-good")] == ["", "sk-very-good"]


def test_of_two_secrets_both_are_taken_out_and_short_words_of_headers_are_not() -> None:
    secrets = Secrets("sk-very-secret", ["Bearer other-secret-77", "true"])
    text = "true: sk-very-secret, other-secret-77 and Bearer"
    assert secrets.hidden(text) == "true: [key], [key] and Bearer"
    kept = secrets.filter()
    pieces = [text[at : at + 10] for at in range(0, len(text), 10)]
    assert "".join(map(kept.push, pieces)) + kept.flush() == "true: [key], [key] and Bearer"


def test_of_a_secret_that_begins_with_another_nothing_is_left() -> None:
    secrets = Secrets("team-key", ["team-key-of-mine"])
    assert secrets.hidden("team-key-of-mine, team-key") == "[key], [key]"


def test_extra_headers_come_from_lines_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HEADERS", "\nX-Team: voice\n X-Token:  one two \n")
    assert headers_from("MY_HEADERS", "llm-headers-env") == {"X-Team": "voice", "X-Token": "one two"}
    assert headers_from("", "llm-headers-env") == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("X-Team secret-7", "Line 1 of MY_HEADERS is not a header"),
        ("X-Team: a\nsecret-7", "Line 2 of MY_HEADERS is not a header"),
        ("X-Team: secret-7\x00", "Line 1 of MY_HEADERS is not a header"),
        ("Content-Length: 7", "sets Content-Length, which follows from the request"),
        ("", "MY_HEADERS, which is not set"),
    ],
)
def test_what_is_no_header_is_refused_unrepeated(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    monkeypatch.setattr("os.environ", {"MY_HEADERS": value})
    with pytest.raises(UsageError, match=reason) as raised:
        headers_from("MY_HEADERS", "llm-headers-env")
    assert "secret-7" not in str(raised.value)
