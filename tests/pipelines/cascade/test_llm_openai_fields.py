"""Fields that a server refuses are renamed or left out at loading, no more than needed, and recorded."""

from __future__ import annotations

from typing import Any

import pytest

from firstpacket.pipelines.cascade.llm.openai.fields import Accepted, Body, negotiate
from firstpacket.pipelines.remote.problems import ServerError

WANTED: Body = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}],
    "stream": True,
    "max_tokens": 1,
    "temperature": 0.0,
    "top_p": 1.0,
    "seed": 7,
    "stream_options": {"include_usage": True},
}


class Strict:
    """A server that takes only some fields, and refuses in its own words."""

    def __init__(self, refused: tuple[str, ...], says: str, status: int = 400) -> None:
        self.refused, self.says, self.status = refused, says, status
        self.sent: list[Body] = []

    def __call__(self, body: Body) -> None:
        self.sent.append(body)
        bad = [name for name in self.refused if name in body]
        if bad:
            raise ServerError(f"it answered {self.status}: {self.says.format(bad[0])}", self.status)


@pytest.mark.parametrize(
    ("refused", "says", "without", "limit"),
    [
        ((), "", (), "max_tokens"),
        (("seed",), "Unknown field: {}", ("seed",), "max_tokens"),
        (("seed", "top_p"), "{}: Extra inputs are not permitted", ("seed", "top_p"), "max_tokens"),
        (("max_tokens",), "'{}' is not supported, use 'max_completion_tokens'", (), "max_completion_tokens"),
        (
            ("max_tokens", "temperature", "top_p"),
            "Unsupported parameter: '{}'",
            ("temperature", "top_p"),
            "max_completion_tokens",
        ),
        (("stream_options",), "include_usage is unknown", ("stream_options",), "max_tokens"),
        # Names more than it refuses.
        (("seed",), "Allowed are temperature, top_p, max_tokens; not {}", ("seed",), "max_tokens"),
        # Names nothing.
        (("seed",), "Bad request", ("seed",), "max_tokens"),
        (("max_tokens", "seed"), "Bad request", ("seed",), "max_completion_tokens"),
    ],
)
def test_what_is_refused_is_left_out_or_renamed(refused: Any, says: str, without: Any, limit: str) -> None:
    server = Strict(refused, says)
    accepted = negotiate(server, WANTED)
    assert (accepted.without, accepted.limit) == (without, limit)
    server(accepted.body(WANTED))


def test_a_server_that_refuses_nothing_is_asked_once() -> None:
    server = Strict((), "")
    assert negotiate(server, WANTED).changes == ()
    assert server.sent == [WANTED]


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_refusal_that_is_not_about_fields_is_reported_at_once(status: int) -> None:
    server = Strict(("model",), "no access to seed or max_tokens", status)
    with pytest.raises(ServerError, match="no access"):
        negotiate(server, WANTED)
    assert len(server.sent) == 1


def test_a_server_that_refuses_everything_is_reported_in_the_end() -> None:
    server = Strict(("model",), "the template is broken")
    with pytest.raises(ServerError, match="the template is broken"):
        negotiate(server, WANTED)
    assert len(server.sent) < 6


def test_a_system_text_that_is_refused_begins_the_user_s() -> None:
    def gemma(body: Body) -> None:
        if body["messages"][0]["role"] == "system":
            raise ServerError("it answered 400: System role not supported", 400)

    accepted = negotiate(gemma, WANTED)
    assert accepted.body(WANTED)["messages"] == [{"role": "user", "content": "Be brief.\n\nHello."}]
    assert accepted.changes == ("the system text is part of the user's message",)


def test_changes_are_stated_for_people() -> None:
    accepted = Accepted(("seed", "temperature"), "max_completion_tokens")
    assert accepted.changes == ("max_tokens is sent as max_completion_tokens", "seed, temperature not sent")
