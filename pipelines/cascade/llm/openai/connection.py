"""A keep-alive connection to an OpenAI-compatible server, with a one-line reason for every failure."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Any, Literal

import httpx2

from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.pipelines.remote.http.address import is_this_machine
from firstpacket.pipelines.remote.http.events import Event, EventParser
from firstpacket.pipelines.remote.http.key import SecretFilter, Secrets
from firstpacket.pipelines.remote.http.problems import ServerError, body_text, error_text, is_error, short

MOST_OF_A_BODY = 1 << 16
"""Bytes read of a response that is not a stream."""

SERVER_FAILED = 500
"""From this status on, a server may be about to reset the connection, which would fail the next request, too."""

MOST_AFTER_THE_REPLY = 16
"""Events."""

MOST_OF_A_LISTING = 1 << 20
"""Bytes."""

Connected = Callable[[], None]
"""Called when a connection had to be made."""

StreamEnd = Literal["close", "done", "finish"]
"""How a server's stream ends: its body ends, or it stays open after `[DONE]`, or after the finish reason."""


class Server:
    """One server, one connection. No request is retried and no redirect followed: it would be sent the key.

    The environment's proxies are ignored for servers on this machine.
    """

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        self.url = url
        self._key = key
        self._secrets = Secrets(key)
        self._timeout_s = timeout_s
        self._client = self._new_client()
        self._line: Any = None
        """The network stream (of httpcore2) of the connection that was made last."""
        self._waiting_for = ""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def models(self) -> dict[str, dict[str, Any]]:
        """The models that it says it serves, by name, each with what it says of it. Raises `ServerError`."""
        body = self.text(f"{self.url}/models", Cancellation())
        try:
            return {clean(str(model["id"])): dict(model) for model in json.loads(body)["data"]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            said = f", but answers: {text}" if (text := body_text(body)) else ""
            raise self._problem(f"it does not list its models{said}") from error

    def text(self, url: str, cancellation: Cancellation) -> str:
        """The beginning of the text at a URL of the same server. Raises `ServerError` and `TurnCancelled`."""
        with self._asked("GET", url, None, cancellation, lambda: None) as response:
            return self.hidden(_text(response.iter_bytes(), MOST_OF_A_LISTING))

    @contextmanager
    def chat(
        self,
        body: dict[str, Any],
        cancellation: Cancellation,
        connected: Connected = lambda: None,
        end: StreamEnd = "close",
    ) -> Iterator[Iterator[Event]]:
        """Ask for a streamed completion; gives its events once the answer has begun.

        Raises `ServerError`, also mid-stream and for a stream that breaks off, and `TurnCancelled`.
        """
        with self._asked("POST", f"{self.url}/chat/completions", body, cancellation, connected) as response:
            events = self._events(response)
            yield events
            # Read to the end, or the connection could not serve the next turn. The reply is complete already, so a
            # stream that has no end is given up, and the next turn connects anew.
            if end == "close":
                with suppress(httpx2.HTTPError, ServerError):
                    for _ in islice(events, MOST_AFTER_THE_REPLY):
                        pass

    @contextmanager
    def _asked(
        self, method: str, url: str, body: dict[str, Any] | None, cancellation: Cancellation, connected: Connected
    ) -> Iterator[httpx2.Response]:
        def seen(event: str, info: dict[str, Any]) -> None:
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                self._line = info["return_value"]
            if event == "connection.connect_tcp.complete":
                self._waiting_for = "for it to answer"
                connected()

        try:
            with cancellation.on_cancel(self._break_off):
                request = self._client.build_request(method, url, json=body, extensions={"trace": seen})
                response = self._sent(request, cancellation)
                self._waiting_for = "for more of its answer"
                try:
                    if response.status_code != 200:
                        raise self._refusal(response)
                    yield response
                finally:
                    response.close()
        except (httpx2.HTTPError, httpx2.StreamError, ServerError, TurnCancelled) as error:
            if cancellation.cancelled:
                self._start_over()
                raise TurnCancelled(f"waiting {self._waiting_for} ({self.url})") from error
            if isinstance(error, TurnCancelled):
                raise
            if isinstance(error, ServerError) and error.status >= SERVER_FAILED:
                self._start_over()
            raise self._explained(error) from error
        except httpx2.InvalidURL as error:
            raise self._problem(_first_line(error)) from error

    def _sent(self, request: httpx2.Request, cancellation: Cancellation) -> httpx2.Response:
        """The response once its head is there. Connecting cannot be broken off, so it may be left behind."""
        if self._is_connected():
            self._waiting_for = "for it to answer"
            return self._client.send(request, stream=True)
        self._waiting_for = "for a connection"
        client = self._client
        return cancellation.abandonable(lambda: client.send(request, stream=True), httpx2.Response.close, "connecting")

    def _is_connected(self) -> bool:
        """Whether the last connection can still be used: a server that has closed it makes it readable."""
        return self._line is not None and not self._line.get_extra_info("is_readable")

    def _break_off(self) -> None:
        """Make a blocked read or write return, from another thread."""
        if self._line is not None:
            # The class's own method: that of a TLS socket would first drop the object that the reader is using.
            socket.socket.shutdown(self._line.get_extra_info("socket"), socket.SHUT_RDWR)

    def _start_over(self) -> None:
        """The old client may still be connecting in a thread that was left behind."""
        self._line = None
        with suppress(Exception):
            self._client.close()
        self._client = self._new_client()

    def _new_client(self) -> httpx2.Client:
        return httpx2.Client(
            headers={"User-Agent": "firstpacket", **({"Authorization": f"Bearer {self._key}"} if self._key else {})},
            timeout=self._timeout_s,
            trust_env=not is_this_machine(httpx2.URL(self.url).host),
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=None),
        )

    def _events(self, response: httpx2.Response) -> Iterator[Event]:
        """The events of a response with status 200. Raises `ServerError` for one that has none.

        Its content type is not relied on: events come under any, and so do documents.
        """
        parts, parser, none_yet = response.iter_bytes(), EventParser(), True
        begin = next((part for part in parts if part.strip()), b"")
        if begin.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[", b"<"):
            raise _not_a_stream(self.hidden(_text(chain([begin], parts), MOST_OF_A_BODY)))
        for part in chain([begin], parts):
            for event in parser.feed(part):
                none_yet = False
                yield Event(self.hidden(event.data), event.name)
        for event in parser.end():
            none_yet = False
            yield Event(self.hidden(event.data), event.name)
        if none_yet and begin:
            text = self.hidden(begin.decode("utf-8", "replace"))
            raise ServerError(f"its answer contains no server-sent events: {body_text(text)}")

    def _refusal(self, response: httpx2.Response) -> ServerError:
        """The error response as a reason."""
        status = response.status_code
        if response.has_redirect_location:
            location = short(response.headers["location"])
            return ServerError(
                f"it answered {status}, a redirect to {location}, which is not followed because it would be sent the "
                "key. Set llm-url to that address.",
                status,
            )
        reason = body_text(self.hidden(_text(response.iter_bytes(), MOST_OF_A_BODY)))
        return ServerError(f"it answered {status}{f': {reason}' if reason else ''}", status)

    def _explained(self, error: Exception) -> ServerError:
        if isinstance(error, ServerError):
            return self._problem(str(error), error.status)
        if isinstance(error, httpx2.TimeoutException):
            return self._problem(f"it sent nothing for {self._timeout_s:g} s (llm-timeout)")
        if isinstance(error, httpx2.ConnectError):
            return self._problem(f"cannot connect: {_first_line(error)}")
        if isinstance(error, httpx2.NetworkError):
            return self._problem(f"the connection broke: {_first_line(error)}")
        return self._problem(_first_line(error))

    def _problem(self, what: str, status: int = 200) -> ServerError:
        """The reason in one line, without the key: a server may echo it, and its messages are recorded."""
        begin = f"The server {self.url}: "
        said = what.removeprefix(begin)
        return ServerError(begin + clean(" ".join(self.hidden(said).split())), status)

    def secret_filter(self) -> SecretFilter:
        """For the text of one reply."""
        return self._secrets.filter()

    def hidden(self, text: str) -> str:
        """The server's text without the key."""
        return self._secrets.hidden(text)


def _not_a_stream(body: str) -> ServerError:
    """A document, where a stream was asked for, as a reason."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ServerError(f"it answered with a document instead of a stream: {body_text(body)}")
    if isinstance(said, dict) and said.get("choices") and not is_error(said):
        return ServerError("it sent the whole reply at once, as one JSON object, instead of a stream")
    return ServerError(f"it answered with an error instead of a stream: {error_text(said)}")


def _text(parts: Iterator[bytes], most: int) -> str:
    """A body up to so many bytes."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) >= most:
            break
    return body[:most].decode("utf-8-sig", "replace")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
