"""The URL of a server, checked so that no secret reaches the records."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from firstpacket.bench.errors import UsageError


def address(url: str, option: str, key_option: str, like: str = "http://127.0.0.1:8000/v1") -> str:
    """The URL given for `option`, without a slash at its end; its scheme is that of `like`, plain or with TLS.

    Raises `UsageError`, whose message repeats nothing that might be a secret.
    """
    plain = urlsplit(like).scheme
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if usable and parts.scheme not in (plain, f"{plain}s"):
        raise UsageError(f"{option} must begin with {plain}:// or {plain}s://. Use one like {like}.")
    if not usable:
        raise UsageError(f"{option} is not a valid URL. Use one like {like}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{option} contains a user name, a password or a query, but it is recorded with every run. Remove them, "
            f"and put the key into the environment variable that {key_option} names."
        )
    return url.rstrip("/")


def is_nearby(host: str) -> bool:
    """Whether a URL's host is this machine or one of this network, not a provider's."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))
