"""Which processes serve a URL on this machine: they work for the system that uses it, and are no other load."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

from firstpacket.bench.sanitize import clean

PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
ANY = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server on this machine that a system uses."""

    url: str
    pids: tuple[int, ...] = ()
    """Processes that listen there; empty if this user cannot see them."""
    names: tuple[str, ...] = ()


def local_servers(urls: Iterable[str]) -> tuple[LocalServer, ...]:
    """Those of the URLs that lead to this machine, with their processes. Never raises."""
    return tuple(found for url in dict.fromkeys(urls) if (found := _local_server(url)) is not None)


def descends_from(pid: int, roots: Iterable[int]) -> bool:
    """Whether a process is one of `roots` or below one of them; False if it cannot be inspected."""
    wanted = set(roots)
    try:
        return pid in wanted or bool(wanted & {parent.pid for parent in psutil.Process(pid).parents()})
    except (psutil.Error, OSError):
        return False


def _local_server(url: str) -> LocalServer | None:
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return _described(url, _listening_at(unquote(parts.path)))
        port = parts.port or PORTS[parts.scheme]
        addresses = {
            str(found[4][0]).partition("%")[0]
            for found in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        }
        if not any(ip_address(each).is_loopback for each in addresses) and not addresses & _own_addresses():
            return None
    except (psutil.Error, OSError, ValueError, KeyError):
        return None
    return _described(url, _listening(addresses, port))


def _described(url: str, pids: tuple[int, ...]) -> LocalServer:
    return LocalServer(url, pids, tuple(dict.fromkeys(map(_name, pids))))


def _own_addresses() -> set[str]:
    interfaces = psutil.net_if_addrs().values()
    return {address.address.partition("%")[0] for addresses in interfaces for address in addresses}


def _listening(addresses: set[str], port: int) -> tuple[int, ...]:
    wanted = {*addresses, *(f"::ffff:{address}" for address in addresses), *ANY}
    listening = [line for line in _lines("tcp") if line.status == psutil.CONN_LISTEN and line.laddr]
    return tuple(sorted({each.pid for each in listening if each.pid and _matches(each, wanted, port)}))


def _listening_at(path: str) -> tuple[int, ...]:
    """Processes that have a unix socket of this path; a client's end has none."""
    return tuple(sorted({line.pid for line in _lines("unix") if line.pid and line.laddr == path}))


def _lines(kind: str) -> list[Any]:
    try:
        return list(psutil.net_connections(kind))
    except (psutil.Error, OSError, RuntimeError):  # macOS shows them to root alone
        return []


def _matches(line: Any, addresses: set[str], port: int) -> bool:
    return line.laddr.port == port and line.laddr.ip in addresses


def _name(pid: int) -> str:
    try:
        return clean(psutil.Process(pid).name())
    except (psutil.Error, OSError):
        return "?"
