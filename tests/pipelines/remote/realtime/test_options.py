"""Options that cannot be: refused before anything is sent, and without repeating a secret."""

from __future__ import annotations

import pytest
from support.realtime_server import Server
from support.realtime_turns import loaded

from firstpacket.bench.errors import BenchError, UsageError

KEY = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"url": "http://127.0.0.1:1"}, r"url must begin with ws:// or wss://"),
        ({"turns": "guess"}, r"turns=guess is not possible with the dialect openai; it has "),
        ({"format": "opus"}, "format"),
        ({"eagerness": "high"}, r"eagerness has no effect with turns=server_vad"),
        ({"endpoint_silence": 0}, "endpoint-silence is 0 ms"),
        ({"endpoint_threshold": 1.0}, "endpoint-threshold is 1"),
        ({"max_tokens": -1}, "max-tokens must not be negative"),
        ({"timeout": 21.0}, "timeout is 21 s"),
        ({"dialect": "xai"}, "the dialect xai names XAI_API_KEY, which is not set"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=reason):
        loaded(Server(), **options)


@pytest.mark.parametrize("option", ["model", "instructions"])
def test_an_option_that_contains_the_key_is_refused(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UsageError, match=f"{option} contains the API key") as raised:
        loaded(Server(), **{option: f"say {KEY}"})
    assert KEY not in str(raised.value)


def test_a_server_that_refuses_and_got_no_key_is_said_to_have_got_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(peer: object) -> None:
        peer.say("error", error={"code": "invalid_api_key", "message": "who are you?"})  # type: ignore[attr-defined]

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BenchError, match=r"model and the key \(OPENAI_API_KEY is not set\)\."):
        loaded(refusing)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(BenchError, match=r"model and the key\."):
        loaded(refusing)


def test_a_key_is_not_sent_readable_to_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UsageError, match=r"url is not encrypted \(ws://\) .* Use wss://, or unset OPENAI_API_KEY"):
        loaded(Server(), url="ws://api.example.com")
    for url in ("ws://127.0.0.1:1", "ws://10.0.0.7:1", "wss://api.example.com"):
        assert loaded(Server(), url=url).facts
    monkeypatch.delenv("OPENAI_API_KEY")
    assert loaded(Server(), url="ws://api.example.com").facts
    monkeypatch.setenv("EXTRA", "X-Tenant: secret-value-1")
    with pytest.raises(UsageError, match=r"url is not encrypted \(ws://\)"):
        loaded(Server(), url="ws://api.example.com", headers_env="EXTRA")
