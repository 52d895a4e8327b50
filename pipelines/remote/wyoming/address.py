"""The URI of a server: `tcp://HOST:PORT` or `unix:///PATH`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from firstpacket.bench.errors import UsageError


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: a host and a port, or the path of a unix socket."""

    uri: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.uri


def address(uri: str, option: str, port: int) -> Address:
    """The address given for `option`; `port` is the usual one, for the message.

    Raises `UsageError`, whose message repeats nothing that might be a secret.
    """
    try:
        parts = urlsplit(uri)
        parsed = Address(uri, parts.hostname or "", parts.port or 0, unquote(parts.path))
    except ValueError:
        parsed, parts = Address(uri), urlsplit("")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{option} contains a user name, a password or a query. Wyoming knows none, and the address is recorded "
            "with every run. Remove them."
        )
    is_tcp = parts.scheme == "tcp" and parsed.host and parsed.port and parsed.path in ("", "/")
    is_unix = parts.scheme == "unix" and not parsed.host and parsed.path.startswith("/")
    if not (is_tcp or is_unix):
        raise UsageError(
            f"{option} is not an address of a Wyoming server. Use one like tcp://127.0.0.1:{port} or "
            "unix:///run/server.sock."
        )
    return parsed
