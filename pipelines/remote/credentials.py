"""What is secret: where it comes from, and how it is kept out of what a server says, since replies are recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.remote.address import is_nearby

KEY_VARIABLE = "OPENAI_API_KEY"
"""The key's variable unless an option names another one."""
MASK = "[key]"
LEAST = 4
"""Characters of a secret that a text must end with to be held back: fewer occur in ordinary words."""
SHORTEST_VALUE = 8
"""Characters of a word in an extra header from which on it counts as a secret."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~]*[!-~])")
_OWN_HEADERS = ("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection")


def key_from(variable: str, option: str) -> str:
    """The key in the environment variable that `option` names, or nothing.

    Raises `UsageError` without repeating a value that may be the key itself.
    """
    key = _value(variable, option, required=variable != KEY_VARIABLE)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"The value of {variable} is not a valid key: it has characters that are not allowed in an HTTP header."
        )
    return key


def headers_from(variable: str, option: str) -> dict[str, str]:
    """Extra headers in the environment variable that `option` names: lines `Name: value`; none if it names none.

    Raises `UsageError` without repeating a value: it may be a secret.
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(_value(variable, option, required=True).splitlines() if variable else (), start=1):
        found = _HEADER.fullmatch(line.strip())
        if found is None:
            raise UsageError(f"Line {number} of {variable} is not a header. Write `Name: value`, one header a line.")
        name, value = found.groups()
        if name.lower() in _OWN_HEADERS:
            raise UsageError(f"Line {number} of {variable} sets {name}, which follows from the request. Remove it.")
        headers[name] = value
    return headers


def _value(variable: str, option: str, required: bool) -> str:
    if not _VARIABLE.fullmatch(variable):
        raise UsageError(
            f"{option} is not the name of an environment variable (capitals, digits and _). Put the value into a "
            "variable and pass its name: options are recorded with every run."
        )
    value = os.environ.get(variable, "").strip()
    if not value and required:
        raise UsageError(f"{option} names {variable}, which is not set. Set it, or remove {option}.")
    return value


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """Where credentials come from: the key's variable, and the names of options for messages."""

    variable: str
    """Empty: the server needs no key."""
    url: str = "url"
    key: str = "key-env"
    """What names the variable."""
    headers: str = "headers-env"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a server, from the environment."""

    key: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def credentials_from(settings: Settings, url: str, options: CredentialOptions) -> Credentials:
    """The key and extra headers for a server at `url`.

    Raises `UsageError`, which repeats no secret: also if an option contains the key, or both would be sent readable to
    another network.
    """
    key = key_from(options.variable, options.key) if options.variable else ""
    _require_kept_out(settings, key)
    headers = headers_from(settings.text(options.headers), options.headers)
    parts = urlsplit(url)
    if (key or headers) and parts.scheme in ("http", "ws") and not is_nearby(parts.hostname or ""):
        unset = f"unset {options.variable} and " if options.variable else ""
        raise UsageError(
            f"{options.url} is not encrypted ({parts.scheme}://) and leads to another network, where the key and the "
            f"headers could be read. Use {parts.scheme}s://, or {unset}leave out {options.headers}."
        )
    return Credentials(key, headers)


def _require_kept_out(settings: Settings, key: str) -> None:
    """Raises `UsageError` if an option contains the key: options are recorded with every run."""
    for name, value in settings.options.items():
        if key and len(key) >= SHORTEST_VALUE and key in str(value):
            raise UsageError(
                f"{name} contains the API key, but options are recorded with every run. Remove it there; the key is "
                "taken from its environment variable."
            )


class Secrets:
    """The key, and the values of extra headers, but for short words."""

    def __init__(self, key: str, headers: Iterable[str] = ()) -> None:
        words = {word for value in headers for word in value.split() if len(word) >= SHORTEST_VALUE}
        self._secrets = tuple(sorted({key, *words} - {""}, key=len, reverse=True))

    def hidden(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def filter(self) -> SecretFilter:
        """For one text that comes in pieces."""
        return SecretFilter(self._secrets)


class SecretFilter:
    """Removes secrets from a text that comes in pieces, however they split them, but for their first characters."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._filters = [_OneSecret(secret) for secret in secrets]

    def push(self, piece: str) -> str:
        """What is certain not to be a secret."""
        for each in self._filters:
            piece = each.push(piece)
        return piece

    def flush(self) -> str:
        """What is left at the end."""
        rest = ""
        for each in self._filters:
            rest = each.push(rest) + each.flush()
        return rest


class _OneSecret:
    """Removes one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._given = ""
        """The last characters that were given: the secret may have begun there."""
        self._held = ""

    def push(self, piece: str) -> str:
        self._held += piece
        self._cut_given()
        self._held = self._held.replace(self._secret, MASK)
        return self._release(len(self._held) - self._beginning())

    def flush(self) -> str:
        return self._release(len(self._held))

    def _cut_given(self) -> None:
        """Mask the rest of a secret whose beginning was given already."""
        at = (self._given + self._held).find(self._secret)
        if 0 <= at < len(self._given):
            self._held = MASK + self._held[at + len(self._secret) - len(self._given) :]

    def _beginning(self) -> int:
        """How many of the last characters held are the beginning of the secret, with those given before them."""
        joined = self._given + self._held
        for length in range(min(len(self._secret), len(joined)), LEAST - 1, -1):
            if self._secret.startswith(joined[-length:]):
                return min(length, len(self._held))
        return 0

    def _release(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        self._given = (self._given + text)[1 - LEAST :]
        return text
