"""A proxy that opens tunnels, for tests of TLS through a proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def tunneling() -> Iterator[tuple[str, list[bytes], list[int]]]:
    """A proxy that opens tunnels to the port in the list, wherever they should lead; its URL, and what it is asked."""
    asked: list[bytes] = []
    ports: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def proxy() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                asked.append(client.recv(65_536))
                upstream = socket.create_connection(("127.0.0.1", ports[0]))
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=proxy, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked, ports
    listening.close()
