"""The engine openai's options and addresses; its key leaks nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.remote.problems import ServerError

pytest.importorskip("httpx2")

from support.llm_engine import KEY, SAID, answering, engine, loaded, plain, turn
from support.llm_server import Scripted, serving


@pytest.fixture
def server() -> Iterator[Scripted]:
    with answering() as made:
        yield made


def test_with_several_models_one_must_be_named(server: Scripted) -> None:
    server.models = ("small", "large")
    with pytest.raises(UsageError, match="llm-model is empty, and the server lists small, large"):
        engine(server.url).load()
    loaded(server, llm_model="large")
    assert server.asked[-1][2]["model"] == "large"


def test_a_redirect_does_not_carry_the_key_along(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as other:
        server.script_of_warm_up = plain(307, "", Location=f"{other.url}/chat/completions")
        with pytest.raises(ServerError, match="which is not followed"):
            engine(server.url).load()
        assert other.asked == []


def test_the_key_is_in_no_record(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.models = (f"tiny {KEY}",)
    model = loaded(server, llm_key_env="MY_KEY")
    assert server.asked[-1][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{model.facts()} {model.weights()} {model.settings}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"llm_key_env": KEY}, "not the name of an environment variable"),
        ({"llm_key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, which is not set"),
        ({"llm_headers_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, which is not set"),
        ({"llm_timeout": 0.0}, "llm-timeout is 0.0"),
        ({"llm_timeout": float("nan")}, "llm-timeout is nan"),
        ({"llm_timeout": float("inf")}, "llm-timeout is inf"),
        ({"llm_temperature": float("inf")}, "llm-temperature is inf"),
        ({"llm_temperature": -1.0}, "llm-temperature is -1.0"),
    ],
)
def test_impossible_options_are_refused(server: Scripted, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        engine(server.url, **changed).load()
    assert KEY not in str(raised.value)


def test_a_key_is_not_sent_readable_to_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(
        UsageError, match=r"llm-url is not encrypted .* Use https://, or unset OPENAI_API_KEY"
    ) as raised:
        engine("http://api.example.com/v1").load()
    assert KEY not in str(raised.value)


def test_extra_headers_are_not_sent_readable_to_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("MY_HEADERS", f"X-Token: {KEY}")
    with pytest.raises(UsageError, match="llm-url is not encrypted") as raised:
        engine("http://api.example.com/v1", llm_headers_env="MY_HEADERS").load()
    assert KEY not in str(raised.value)


def test_a_key_that_is_invalid_in_a_header_is_refused(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not a valid key") as raised:
        engine(server.url).load()
    assert "sk-" not in str(raised.value)


@pytest.mark.parametrize("url", ["", "localhost:8000", "http://", "http://x:99999/v1", "http://[::1/v1"])
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="llm-url is not a valid URL"):
        engine(url)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match=r"llm-url must begin with http:// or https://\."):
        engine("ws://x/v1")


def test_an_option_that_contains_the_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UsageError, match="llm-url contains the API key") as raised:
        engine(f"http://127.0.0.1:1/{KEY}/v1").load()
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@x/v1", f"http://x/v1?key={KEY}"])
def test_an_address_with_a_secret_is_refused_unrepeated(url: str) -> None:
    with pytest.raises(UsageError, match="recorded with every run") as raised:
        engine(url)
    assert KEY not in str(raised.value)


def test_the_address_of_the_endpoint_itself_is_understood(server: Scripted) -> None:
    model = engine(server.url + "/chat/completions")
    model.load()
    assert turn(model)[0] == SAID
