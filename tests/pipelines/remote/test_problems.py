"""What servers say of an error is one line, and a status is an outcome."""

from __future__ import annotations

import pytest

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.pipelines.remote.problems import ServerError, body_text, turn_outcomes


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
        ("<!DOCTYPE html><body><h1>Sorry &amp; <b>wait</b></h1></body>", "Sorry & wait"),
        ("<p>Too <i>many</i> requests</p><script>alert(1)</script>", "Too many requests"),
        ("upstream connect error\nreset reason: overflow", "upstream connect error"),
        ("", ""),
        ("x" * 5000, "x" * 300 + "…"),
    ],
)
def test_a_body_that_is_no_json_gives_its_headline(body: str, text: str) -> None:
    assert body_text(body) == text


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, "refused"),
        (403, "refused"),
        (404, "refused"),
        (415, "refused"),
        (422, "refused"),
        (429, "limited"),
        (503, "busy"),
    ],
)
def test_a_status_that_says_why_ends_a_turn_with_that_outcome(status: int, outcome: str) -> None:
    with pytest.raises(TurnEnded, match="no") as ended, turn_outcomes():
        raise ServerError("no", status)
    assert ended.value.outcome == outcome


@pytest.mark.parametrize("status", [200, 302, 500, 502])
def test_other_problems_are_errors(status: int) -> None:
    with pytest.raises(ServerError), turn_outcomes():
        raise ServerError("no", status)
