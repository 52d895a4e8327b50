from __future__ import annotations

import pytest

from firstpacket.bench.addresses import is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/v1",
        "http://127.0.0.1:8000/v1",
        "ws://127.1.2.3",
        "wss://[::1]:8443/realtime",
        "tcp://localhost:10300",
        "localhost:10300",
        "127.0.0.1:10300",
        "unix:///run/server.sock",
    ],
)
def test_addresses_on_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://192.168.1.5:8000",
        "http://0.0.0.0:8000",
        "wss://localhost.example.com",
        "http://127.0.0.1@example.com/",
        "http://example.com/?at=localhost",
        "server:10300",
        "tcp://[fe80::1]:10300",
        "http://[broken",
    ],
)
def test_addresses_elsewhere(url: str) -> None:
    assert not is_loopback(url)
