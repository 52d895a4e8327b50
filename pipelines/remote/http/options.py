"""Options of everything that uses an HTTP server: where it is, and what opens it."""

from __future__ import annotations

from dataclasses import dataclass, field

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Option, Requirement, Settings
from firstpacket.pipelines.remote.address import address
from firstpacket.pipelines.remote.credentials import KEY_VARIABLE, CredentialOptions, credentials_from

LONGEST_WAIT_S = 3600
REQUIRES = Requirement("httpx2", "openai")


def named(prefix: str, option: str) -> str:
    """The option's whole name: `llm-url` of an engine, `url` of a pipeline."""
    return f"{prefix}-{option}" if prefix else option


def options(prefix: str) -> tuple[Option, ...]:
    """The options, for an engine's prefix, or an empty one."""
    return (
        Option(named(prefix, "url"), "http://127.0.0.1:8000/v1", "base URL of the server"),
        Option(named(prefix, "model"), "", "model name; empty: the only one that the server lists"),
        Option(named(prefix, "timeout"), 30.0, "timeout for connecting and between events, s"),
        Option(named(prefix, "key-env"), KEY_VARIABLE, "environment variable with the API key"),
        Option(
            named(prefix, "headers-env"),
            "",
            "environment variable with extra headers, one `Name: value` a line",
        ),
    )


def url_from(settings: Settings, prefix: str, endpoint: str) -> str:
    """The base URL; that of the `endpoint` itself is understood. Raises `UsageError` for one that has a secret."""
    option = named(prefix, "url")
    return address(settings.text(option), option, named(prefix, "key-env")).removesuffix(endpoint)


@dataclass(frozen=True, slots=True)
class Access:
    """Where a server is, and what opens it."""

    prefix: str
    """Of the options that say so."""
    url: str
    timeout_s: float
    key: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def access_from(settings: Settings, prefix: str, endpoint: str) -> Access:
    """What the options say, and the environment. Raises `UsageError`."""
    timeout_s = settings.number(named(prefix, "timeout"))
    if not 0 < timeout_s <= LONGEST_WAIT_S:
        raise UsageError(
            f"{named(prefix, 'timeout')} is {timeout_s} s, but it must be above 0 s and at most {LONGEST_WAIT_S} s."
        )
    key_option, headers_option = named(prefix, "key-env"), named(prefix, "headers-env")
    url = url_from(settings, prefix, endpoint)
    asked = CredentialOptions(settings.text(key_option), named(prefix, "url"), key_option, headers_option)
    credentials = credentials_from(settings, url, asked)
    return Access(prefix, url, timeout_s, credentials.key, credentials.headers)
