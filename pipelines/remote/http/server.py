"""A server: requests to it, one after the other, and a one-line reason for every failure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpcore2
import httpx2

from firstpacket.bench.errors import UsageError
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import Message, Session
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.credentials import SecretFilter, Secrets
from firstpacket.pipelines.remote.http.answer import Answer
from firstpacket.pipelines.remote.http.connection import Connection, route_to, tls_context
from firstpacket.pipelines.remote.http.options import Access, named
from firstpacket.pipelines.remote.http.recording import Recording, audio_bytes, without_audio
from firstpacket.pipelines.remote.problems import ServerError, body_text, short

MOST_OF_A_LISTING = 1 << 20
"""Bytes."""

SERVER_FAILED = 500
"""From this status on, a server may be about to reset the connection, which would fail the next request, too."""

HTTP_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.ConnectionNotAvailable,
)

REST_S = 0.5
"""How long the rest of an answer may take to come, before a turn; then the turn gets a new connection."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a request carries: JSON, or a form with files."""

    json: Any = None
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict)
    """By the field's name: file name, bytes, media type."""
    audio_bytes: int = 0


class Server:
    """One server, one connection. No request is retried and no redirect followed: it would be sent the key.

    `role` begins the names of its marks: `asr.connected` is a connection that had to be made in a turn.
    """

    def __init__(self, access: Access, role: str) -> None:
        """Raises `UsageError` if the environment's proxy or authorities cannot be used."""
        self.url = access.url
        self._access = access
        self._role = role
        self._secrets = Secrets(access.key, access.headers.values())
        self._route = route_to(access.url)
        self._tls = tls_context() if self._route.server.tls else None
        self._headers = {
            "User-Agent": "firstpacket",
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # a server that compresses waits for more to compress
            **({"Authorization": f"Bearer {access.key}"} if access.key else {}),
            **access.headers,
        }
        self._connection: Connection | None = None
        self._last: Answer | None = None
        self._waiting_for = ""

    def prepare(self, trace: Trace) -> None:
        """Make the connection for a turn, unless it stands. Raises `ServerError` and `TurnCancelled`."""
        self._finish_last()
        ended = self._connection is not None and not self._connection.is_closed
        if self._is_connected():
            return
        begun_ns = trace.clock.now_ns()
        with self._explaining(trace.cancellation):
            self._connect(trace)
        ready_ns = trace.clock.now_ns()
        trace.session(Session(begun_ns, ready_ns, ready_ns, renewed=ended))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._last = None

    def models(self) -> dict[str, dict[str, Any]]:
        """The models that it says it serves, by name, each with what it says of it. Raises `ServerError`."""
        body = self.text(f"{self.url}/models", Cancellation())
        try:
            return {clean(str(model["id"])): dict(model) for model in json.loads(body)["data"]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            said = f", but answers: {text}" if (text := body_text(body)) else ""
            raise self._problem(f"it does not list its models{said}") from error

    def chosen_model(self, model: str) -> tuple[str, dict[str, Any]]:
        """This model, or the only one; and what the server lists of it.

        Raises `UsageError` if the model is not clear, and `ServerError` if only a listing could make it clear.
        """
        option = named(self._access.prefix, "model")
        try:
            listed = self.models()
        except ServerError as error:
            if not model:
                raise ServerError(
                    f"{error}. If it does not list its models, name one with {option}", error.status
                ) from error
            return model, {}
        if not model and len(listed) != 1:
            listing = f"lists {', '.join([*listed][:8])}" if listed else "lists none"
            raise UsageError(f"{option} is empty, and the server {listing}. Choose a model with {option}.")
        model = model or next(iter(listed))
        return model, listed.get(model, {})

    def text(self, url: str, cancellation: Cancellation) -> str:
        """The beginning of the text at a URL of the same server. Raises `ServerError` and `TurnCancelled`."""
        trace = Trace(MonotonicClock(), cancellation=cancellation)
        with self.exchange("GET", url, trace) as answer:
            return answer.text(MOST_OF_A_LISTING)

    @contextmanager
    def exchange(
        self, method: str, url: str, trace: Trace, content: Content | None = None, due_ns: int | None = None
    ) -> Iterator[Answer]:
        """Send a request; gives the answer once its head is there, and records both in the trace.

        `due_ns` is when the request could have been made, now unless given: the content's own work counts, too.

        Raises `ServerError`, also for what goes wrong in the body, and `TurnCancelled`.
        """
        due_ns = trace.clock.now_ns() if due_ns is None else due_ns
        recording = Recording(trace, self._secrets)
        try:
            with self._explaining(trace.cancellation), trace.cancellation.on_cancel(self._break_off):
                request = self._request(method, url, content or Content())
                yield self._asked(request, content or Content(), due_ns, trace, recording)
        finally:
            recording.finish()

    def secret_filter(self) -> SecretFilter:
        """For a text that comes in pieces."""
        return self._secrets.filter()

    def hidden(self, text: str) -> str:
        """The server's text without secrets."""
        return self._secrets.hidden(text)

    def _request(self, method: str, url: str, content: Content) -> httpx2.Request:
        files = dict(content.files) or None
        request = httpx2.Request(
            method, url, headers=self._headers, json=content.json, data=dict(content.fields), files=files
        )
        request.read()
        return request

    def _asked(
        self, request: httpx2.Request, content: Content, due_ns: int, trace: Trace, recording: Recording
    ) -> Answer:
        self._finish_last()
        if not self._is_connected():
            self._connect(trace)
            trace.mark(f"{self._role}.connected")
        assert self._connection is not None
        stream = self._connection.stream
        stream.now_ns, stream.patience_s = trace.clock.now_ns, None
        self._waiting_for = "for it to answer"
        try:
            response = self._connection.send(request, self._access.timeout_s)
        finally:
            recording.sent(partial(self._sent, stream.write_begun_ns, stream.written_ns, request, content, due_ns))
        self._waiting_for = "for more of its answer"
        self._last = answer = Answer(response, stream, recording, self._secrets)
        if answer.status != 200:
            raise self._refusal(answer)
        return answer

    def _sent(self, begun_ns: int, done_ns: int, request: httpx2.Request, content: Content, due_ns: int) -> Message:
        said = content.json if content.json is not None else dict(content.fields)
        return Message(
            True,
            f"{request.method} {request.url.path}",
            begun_ns or due_ns,
            len(request.content),
            done_ns=done_ns,
            due_ns=due_ns,
            audio_bytes=content.audio_bytes or audio_bytes(said),
            body=self.hidden(without_audio(said)) if said else "",
        )

    @contextmanager
    def _explaining(self, cancellation: Cancellation) -> Iterator[None]:
        """Raise errors of the body with their reason in one line, or as the cancellation that caused them."""
        try:
            yield
        except (OSError, *HTTP_ERRORS, ServerError, TurnCancelled) as error:
            if cancellation.cancelled:
                self.close()
                raise TurnCancelled(f"waiting {self._waiting_for} ({self.url})") from error
            if isinstance(error, TurnCancelled):
                raise
            if not isinstance(error, ServerError) or error.status >= SERVER_FAILED or error.status == 200:
                self.close()
            raise self._explained(error) from error

    def _connect(self, trace: Trace) -> None:
        """Connecting cannot be broken off, so it may be left behind."""
        self.close()
        self._waiting_for = "for a connection"
        timeout_s, now_ns = self._access.timeout_s, trace.clock.now_ns
        self._connection = trace.cancellation.abandonable(
            lambda: Connection.open(self._route, self._tls, timeout_s, now_ns), Connection.close, "connecting"
        )

    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_ready

    def _break_off(self) -> None:
        """Make a blocked read or write return, from another thread."""
        if self._connection is not None:
            self._connection.break_off()

    def _finish_last(self) -> None:
        """Read the end of the last answer, or the connection could not take another request.

        Whoever used it had all that mattered, so an answer that has no end is given up, and its connection.
        """
        last, self._last = self._last, None
        if last is not None:
            last.finish(REST_S)

    def _refusal(self, answer: Answer) -> ServerError:
        """The error response as a reason."""
        location = answer.headers.get("location")
        if location and answer.status in (301, 302, 303, 307, 308):
            return ServerError(
                f"it answered {answer.status}, a redirect to {short(location)}, which is not followed because it would "
                f"be sent the key. Set {named(self._access.prefix, 'url')} to that address.",
                answer.status,
            )
        reason = body_text(answer.text())
        return ServerError(f"it answered {answer.status}{f': {reason}' if reason else ''}", answer.status)

    def _explained(self, error: Exception) -> ServerError:
        if isinstance(error, ServerError):
            return self._problem(str(error), error.status)
        if isinstance(error, httpcore2.TimeoutException):
            option = named(self._access.prefix, "timeout")
            return self._problem(f"it sent nothing for {self._access.timeout_s:g} s ({option})")
        if isinstance(error, (httpcore2.ConnectError, httpcore2.ProxyError)):
            return self._problem(f"cannot connect: {_first_line(error)}")
        if isinstance(error, (OSError, httpcore2.NetworkError)):
            return self._problem(f"the connection broke: {_first_line(error)}")
        return self._problem(_first_line(error))

    def _problem(self, what: str, status: int = 200) -> ServerError:
        """The reason in one line, without secrets: a server may echo them, and its messages are recorded."""
        begin = f"The server {self.url}: "
        said = what.removeprefix(begin)
        return ServerError(begin + clean(" ".join(self.hidden(said).split())), status)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
