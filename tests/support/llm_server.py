"""A server with OpenAI's paths that answers as a test tells it to, in this process."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Semaphore, Thread
from typing import Any


class Answer(BaseHTTPRequestHandler):
    """One connection; what it is asked is kept, and answered by the server's `script`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a stream's first event waits 40 ms for the client to acknowledge its head
    server: Scripted

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers), {}))
        if self.path == "/v1/models":
            return self.plain(200, {"data": [{"id": name, **self.server.listed} for name in self.server.models]})
        page = self.server.pages.get(self.path)
        return self.plain(404, "") if page is None else self.plain(200, page)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        form = self.headers["Content-Type"].startswith("multipart/")
        body = fields(self.headers["Content-Type"], raw) if form else json.loads(raw)
        self.server.asked.append((self.path, dict(self.headers), body))
        self.script(body)(self)

    def script(self, body: dict[str, Any]) -> Callable[[Answer], None]:
        """The script for a request: at loading the user says hello, first for replies of one token."""
        said = body["messages"][-1]["content"] if "messages" in body else ""
        if not (isinstance(said, str) and said.endswith("Hello.")):
            return self.server.script
        short = 1 in (body.get("max_tokens"), body.get("max_completion_tokens"))
        return self.server.script_of_warm_up if short else self.server.script_of_trial

    def plain(self, status: int, body: Any, **headers: str) -> None:
        """A whole answer; `body` is text, or becomes JSON."""
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def begin(self, content_type: str = "text/event-stream", **headers: str) -> None:
        """The head of a stream."""
        self.send_response(200)
        for name, value in {"Content-Type": content_type, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send(self, raw: bytes) -> None:
        """One chunk of the body."""
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def stream(self, events: list[str], end: bool = True) -> None:
        """A stream of events, whole or left open."""
        self.begin()
        for data in events:
            self.send(f"data: {data}\n\n".encode())
        if end:
            self.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        """Break the connection off, without a word."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None: ...


def fields(content_type: str, raw: bytes) -> dict[str, Any]:
    """The fields of a form: texts, and files as bytes."""
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw)
    found: dict[str, Any] = {}
    for part in whole.walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            name = str(part.get_param("name", header="content-disposition"))
            found[name] = payload if part.get_filename() else payload.decode()
    return found


class Scripted(ThreadingHTTPServer):
    """`script` answers turns; at loading, `script_of_warm_up` answers requests for one token, `script_of_trial` others.

    `closed` is released for every connection that the server has closed: what it sent last, the end included, has
    arrived by then.
    """

    daemon_threads = True
    models: tuple[str, ...] = ("tiny",)
    listed: dict[str, Any]
    """What it lists of each model, besides the name."""
    pages: dict[str, Any]
    """What it says elsewhere, by path."""
    script: Callable[[Answer], None]
    script_of_warm_up: Callable[[Answer], None]
    script_of_trial: Callable[[Answer], None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.listed, self.pages = {}, {}
        self.script_of_warm_up = self.script_of_trial = hi
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.connections = 0
        self.closed = Semaphore(0)
        self.over = Event()

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed.release()

    def handle_error(self, *_: Any) -> None: ...

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> str:
    """The data of one event."""
    said = {} if content is None else {"content": content}
    return json.dumps({"choices": [{"index": 0, "delta": {**said, **more}, "finish_reason": finish}]})


def hi(answer: Answer) -> None:
    """A reply of one token."""
    answer.stream([delta(content="Hi"), delta(finish="length"), "[DONE]"])


@contextmanager
def serving() -> Iterator[Scripted]:
    """A server for as long as it is entered; a script that waits for `over` is released then."""
    server = Scripted()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
