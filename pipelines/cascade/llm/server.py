"""A keep-alive connection to an OpenAI-compatible server, with a one-line reason for every failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from itertools import islice
from typing import Any

import httpx2

from firstpacket.bench.sanitize import clean
from firstpacket.pipelines.cascade.llm.chat_stream import ServerError, error_text

MOST_OF_A_BODY = 4096
"""Most bytes read of an error's body."""

MOST_AFTER_THE_REPLY = 16
"""Events."""

MOST_OF_A_LISTING = 1 << 20
"""Bytes."""

Connected = Callable[[], None]
"""Called when a connection had to be made."""


class Server:
    """One server, one connection. No request is retried and no redirect followed: it would be sent the key.

    The environment's proxies are ignored for servers on this machine.
    """

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        self.url = url
        self._key = key
        self._timeout_s = timeout_s
        self._client = httpx2.Client(
            headers={"User-Agent": "firstpacket", **({"Authorization": f"Bearer {key}"} if key else {})},
            timeout=timeout_s,
            trust_env=not _is_this_machine(httpx2.URL(url).host),
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=None),
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def models(self) -> tuple[str, ...]:
        """Names of the models that it says it serves. Raises `ServerError`."""
        with self._asked("GET", "/models", None, lambda: None) as response:
            body = _read(response, MOST_OF_A_LISTING)
        try:
            return tuple(clean(self._hidden(str(model["id"]))) for model in json.loads(body)["data"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._problem("it does not list its models") from error

    @contextmanager
    def chat(self, body: dict[str, Any], connected: Connected = lambda: None) -> Iterator[Iterator[str]]:
        """Ask for a streamed completion; gives the data of its events once the answer has begun.

        Raises `ServerError`, also mid-stream and for a stream that breaks off.
        """
        with self._asked("POST", "/chat/completions", body, connected) as response:
            events = (self._hidden(event.data) for event in httpx2.EventSource(response))
            yield events
            # Read to the end, or the connection could not serve the next turn. The reply is complete already, so a
            # stream that has no end is given up, and the next turn connects anew.
            with suppress(httpx2.HTTPError):
                for _ in islice(events, MOST_AFTER_THE_REPLY):
                    pass

    @contextmanager
    def _asked(
        self, method: str, path: str, body: dict[str, Any] | None, connected: Connected
    ) -> Iterator[httpx2.Response]:
        def seen(event: str, _: object) -> None:
            if event == "connection.connect_tcp.complete":
                connected()

        try:
            with self._client.stream(method, self.url + path, json=body, extensions={"trace": seen}) as response:
                if response.status_code != 200:
                    raise self._problem(_refusal(response, self._hidden))
                yield response
        except ServerError as error:
            raise self._problem(str(error)) from error
        except httpx2.TimeoutException as error:
            raise self._problem(f"it sent nothing for {self._timeout_s:g} s (llm-timeout)") from error
        except httpx2.ConnectError as error:
            raise self._problem(f"cannot connect: {_first_line(error)}") from error
        except httpx2.NetworkError as error:
            raise self._problem(f"the connection broke: {_first_line(error)}") from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise self._problem(_first_line(error)) from error

    def _problem(self, what: str) -> ServerError:
        """The reason in one line, without the key: a server may echo it, and its messages are recorded."""
        begin = f"The server {self.url}: "
        said = what.removeprefix(begin)
        return ServerError(begin + clean(" ".join(self._hidden(said).split())))

    def _hidden(self, text: str) -> str:
        """The server's text without the key."""
        return text.replace(self._key, "[key]") if self._key else text


def _refusal(response: httpx2.Response, hidden: Callable[[str], str]) -> str:
    """The error response as a reason."""
    if response.has_redirect_location:
        return (
            f"it answered {response.status_code}, a redirect to {response.headers['location']}, which is not followed "
            "because it would be sent the key. Set llm-url to that address."
        )
    text = hidden(_read(response, MOST_OF_A_BODY).decode("utf-8", "replace"))
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    first = next(iter(text.strip().splitlines()), "")[:200]
    reason = error_text(said) if isinstance(said, dict) else first
    return f"it answered {response.status_code}{f': {reason}' if reason else ''}"


def _read(response: httpx2.Response, most: int) -> bytes:
    """The body up to so many bytes."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) >= most:
            break
    return bytes(body[:most])


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
