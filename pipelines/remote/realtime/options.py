"""The options of `realtime`, and the session and the address that follow from them."""

from __future__ import annotations

from typing import get_args

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Option, Settings
from firstpacket.pipelines.remote.address import address
from firstpacket.pipelines.remote.credentials import CredentialOptions, Secrets, credentials_from
from firstpacket.pipelines.remote.realtime.audio import Format
from firstpacket.pipelines.remote.realtime.connection import Address
from firstpacket.pipelines.remote.realtime.dialect import Dialect, Turns
from firstpacket.pipelines.remote.realtime.session import SessionConfig

OPTIONS = (
    Option("url", "", "address of the server; empty: the dialect's usual one"),
    Option("dialect", "openai", "kind of server (docs/realtime.md), or a TOML file that describes yours"),
    Option("model", "", "model name; empty: the server's choice"),
    Option("turns", "", "what ends the user's turn: manual, server_vad or semantic_vad; empty: the dialect's first"),
    Option("endpoint-silence", 500, "silence after which the user has finished, ms (turns=server_vad)"),
    Option("endpoint-threshold", 0.5, "speech probability threshold (turns=server_vad)"),
    Option(
        "eagerness",
        "auto",
        "how soon the server replies (turns=semantic_vad)",
        choices=("auto", "low", "medium", "high"),
    ),
    Option("format", "pcm", "encoding of the audio", choices=get_args(Format)),
    Option("voice", "", "voice; empty: the server's choice"),
    Option("instructions", "", "instructions to the model; empty: the server's choice"),
    Option("transcription", "", "model that also transcribes the user's speech; empty: none"),
    Option("max-tokens", 0, "maximum tokens of a reply; 0: the server's choice"),
    Option("conversation", "turn", "a session for each turn, or one for the run", choices=("turn", "run")),
    Option("timeout", 10.0, "timeout for connecting, s"),
    Option("key-env", "", "environment variable with the API key; empty: the dialect's"),
    Option("headers-env", "", "environment variable with extra headers, one `Name: value` a line"),
)


def turns_of(choice: str, dialect: Dialect) -> Turns:
    """How the user's turn ends. Raises `UsageError`."""
    for each in dialect.turns:
        if choice in (each, ""):
            return each
    raise UsageError(
        f"turns={choice} is not possible with the dialect {dialect.name}; it has {', '.join(dialect.turns)}."
    )


def config_from(settings: Settings, dialect: Dialect) -> SessionConfig:
    """The session to request. Raises `UsageError` for what the dialect does not have."""
    format = next((each for each in dialect.formats if each == settings.text("format")), None)
    if format is None:
        raise UsageError(
            f"format={settings.text('format')} is not possible with the dialect {dialect.name}; it has "
            f"{', '.join(dialect.formats)}."
        )
    silence, threshold = settings.whole("endpoint-silence"), settings.number("endpoint-threshold")
    if not 0 < silence <= 10_000:
        raise UsageError(f"endpoint-silence is {silence} ms, but it must lie between 1 and 10000.")
    if not 0 < threshold < 1:
        raise UsageError(f"endpoint-threshold is {threshold:g}, but it must lie between 0 and 1.")
    turns = turns_of(settings.text("turns"), dialect)
    if settings.text("eagerness") != "auto" and turns != "semantic_vad":
        raise UsageError(f"eagerness has no effect with turns={turns}. Remove it, or use turns=semantic_vad.")
    if settings.whole("max-tokens") < 0:
        raise UsageError("max-tokens must not be negative; 0 leaves it to the server.")
    return SessionConfig(
        turns=turns,
        format=format,
        silence_ms=silence,
        threshold=threshold,
        eagerness=settings.text("eagerness"),
        model=settings.text("model"),
        voice=settings.text("voice"),
        instructions=settings.text("instructions"),
        transcription=settings.text("transcription"),
        max_tokens=settings.whole("max-tokens"),
    )


def address_from(settings: Settings, dialect: Dialect) -> Address:
    """Where the server is, and the credentials from the environment. Raises `UsageError`, which repeats no secret."""
    usual = settings.text("url") or dialect.url
    if not usual:
        raise UsageError(
            f"url is missing: servers of the dialect {dialect.name} have no usual address. Add url=wss://HOST."
        )
    url = address(usual, "url", "key-env", like="ws://127.0.0.1:8000")
    timeout_s = settings.number("timeout")
    if not 0 < timeout_s <= 20:
        raise UsageError(f"timeout is {timeout_s:g} s, but it must be above 0 s and at most 20 s.")
    given = settings.text("key-env")
    asked = CredentialOptions(given or dialect.key_variable, key="key-env" if given else f"the dialect {dialect.name}")
    credentials = credentials_from(settings, url, asked)
    headers = credentials.headers
    if credentials.key:
        headers = {dialect.key_header: f"{dialect.key_prefix}{credentials.key}", **headers}
    secrets = Secrets(credentials.key, credentials.headers.values())
    return Address(url, settings.text("model"), dialect, tuple(headers.items()), secrets, timeout_s)
