"""One connection to a server: made when told to, over TLS and a proxy where needed, with stamps of all that passes.

httpcore2 makes connections only when a request needs one, which would be in the middle of a turn. So its parts are put
together here: its sockets, which set TCP_NODELAY, and its HTTP/1.1. Proxies and authorities of one's own come from the
usual variables (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY; SSL_CERT_FILE, SSL_CERT_DIR); servers on this machine
are reached without a proxy.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from firstpacket.bench.addresses import is_this_machine
from firstpacket.bench.errors import UsageError

Now = Callable[[], int]
Headers = list[tuple[bytes, bytes]]
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection."""

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> bytes:
        """`host:port`, as a request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach a server: through which proxy, if any."""

    server: Peer
    proxy: Peer | None
    proxy_headers: tuple[tuple[bytes, bytes], ...]


def route_to(url: str) -> Route:
    """The route to a URL's server. Raises `UsageError` for a host that is none, or a proxy that cannot be used."""
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise UsageError(f"{url} is not a valid URL: {error}.") from error
    server = _peer(target)
    if is_this_machine(server.host) or proxy_bypass(f"{server.host}:{server.port}"):
        return Route(server, None, ())
    proxies = getproxies()
    given = proxies.get(target.scheme) or proxies.get("all")
    if not given:
        return Route(server, None, ())
    try:
        proxy = httpx2.URL(given if "://" in given else f"http://{given}")
    except httpx2.InvalidURL:
        proxy = httpx2.URL("")
    if proxy.scheme not in PORTS or not proxy.host:
        raise UsageError(
            f"The environment's proxy for {target.scheme} is no HTTP proxy (http:// or https://). Set "
            f"{target.scheme.upper()}_PROXY to one, or add {server.host} to NO_PROXY."
        )
    credentials = base64.b64encode(f"{unquote(proxy.username)}:{unquote(proxy.password)}".encode())
    headers = ((b"Proxy-Authorization", b"Basic " + credentials),) if proxy.username or proxy.password else ()
    return Route(server, _peer(proxy), headers)


def _peer(url: httpx2.URL) -> Peer:
    return Peer(url.raw_host.decode("ascii"), url.port or PORTS[url.scheme], url.scheme == "https")


def tls_context() -> ssl.SSLContext:
    """A context that verifies servers. Raises `UsageError` for unusable authorities of the environment."""
    try:
        return httpcore2.default_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"SSL_CERT_FILE or SSL_CERT_DIR names authorities that cannot be read: {error}. Name a file in PEM form."
        ) from error


class StampedStream(httpcore2.NetworkStream):
    """A stream that notes when its bytes were read and written."""

    def __init__(self, stream: httpcore2.NetworkStream, now_ns: Now) -> None:
        self._stream = stream
        self.now_ns = now_ns
        self.read_ns = 0
        """When the last bytes were read; those that came together have one time."""
        self.write_begun_ns = 0
        """When the first bytes were written since this was set to 0."""
        self.written_ns = 0
        self.patience_s: float | None = None
        """How long a read may wait, instead of the request's timeout."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What is there, at most so many bytes: it does not wait for that many."""
        data = self._stream.read(max_bytes, timeout if self.patience_s is None else self.patience_s)
        self.read_ns = self.now_ns()
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self.write_begun_ns = self.write_begun_ns or self.now_ns()
        self._stream.write(buffer, timeout)
        self.written_ns = self.now_ns()

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What the stream below says."""
        return self._stream.get_extra_info(info)


class Connection:
    """A connection that stands."""

    def __init__(self, route: Route, stream: StampedStream) -> None:
        self._route = route
        self.stream = stream
        self._http = httpcore2.HTTP11Connection(_origin(route.server), stream)

    @classmethod
    def open(cls, route: Route, tls: ssl.SSLContext | None, timeout_s: float, now_ns: Now) -> Connection:
        """Connect. Raises an error of httpcore2."""
        first = route.proxy or route.server
        stream = httpcore2.SyncBackend().connect_tcp(first.host, first.port, timeout_s)
        try:
            if route.proxy is not None and route.proxy.tls:
                stream = stream.start_tls(tls_context(), first.host, timeout_s)
            if route.proxy is not None and route.server.tls:
                stream = _tunnelled(stream, route, timeout_s)
            if tls is not None:
                stream = stream.start_tls(tls, route.server.host, timeout_s)
        except BaseException:
            stream.close()
            raise
        return cls(route, StampedStream(stream, now_ns))

    @property
    def is_ready(self) -> bool:
        """Whether it can take a request: a server that has closed it makes it readable."""
        return not (self._http.is_closed() or self.stream.get_extra_info("is_readable"))

    @property
    def is_closed(self) -> bool:
        """Whether this side has closed it, because the server said it would or an answer was left."""
        return self._http.is_closed()

    def send(self, request: httpx2.Request, timeout_s: float) -> httpcore2.Response:
        """The response, once its head is there. Raises an error of httpcore2."""
        server, target, headers = self._route.server, request.url.raw_path, list(request.headers.raw)
        if self._route.proxy is not None and not server.tls:
            target = b"http://" + server.authority + target
            headers += self._route.proxy_headers
        self.stream.write_begun_ns = self.stream.written_ns = 0
        return self._http.handle_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(
                    scheme=_scheme(server), host=server.host.encode("ascii"), port=server.port, target=target
                ),
                headers=headers,
                content=request.content,  # in one piece, or every field of a form would be written by itself
                extensions={"timeout": {"read": timeout_s, "write": timeout_s}},
            )
        )

    def break_off(self) -> None:
        """Make a blocked read or write return, from another thread."""
        # The class's own method: that of a TLS socket would first drop the object that the reader is using.
        socket.socket.shutdown(self.stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self._http.close()


def _tunnelled(stream: httpcore2.NetworkStream, route: Route, timeout_s: float) -> httpcore2.NetworkStream:
    """The stream to the server through a proxy (RFC 9110, section 9.3.6)."""
    assert route.proxy is not None
    authority = route.server.authority
    url = httpcore2.URL(scheme=b"http", host=route.proxy.host.encode("ascii"), port=route.proxy.port, target=authority)
    request = httpcore2.Request(
        "CONNECT",
        url,
        headers=[(b"Host", authority), *route.proxy_headers],
        extensions={"timeout": {"read": timeout_s, "write": timeout_s}},
    )
    response = httpcore2.HTTP11Connection(url.origin, stream).handle_request(request)
    if not 200 <= response.status < 300:
        raise httpcore2.ProxyError(f"the proxy answered {response.status}")
    tunnel: httpcore2.NetworkStream = response.extensions["network_stream"]
    return tunnel


def _scheme(peer: Peer) -> bytes:
    return b"https" if peer.tls else b"http"


def _origin(peer: Peer) -> httpcore2.Origin:
    return httpcore2.Origin(_scheme(peer), peer.host.encode("ascii"), peer.port)
