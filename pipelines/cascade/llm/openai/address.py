"""The server's URL and the key, checked so that no secret reaches the records."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from firstpacket.bench.errors import UsageError

KEY_VARIABLE = "OPENAI_API_KEY"
PATH = "/chat/completions"


def address(url: str) -> str:
    """The base URL. Raises `UsageError`, whose message repeats nothing that might be a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("llm-url is not a valid URL. Use one like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"llm-url contains a user name, a password or a query, but it is recorded with every run. Remove them, "
            f"and put the key into the environment variable {KEY_VARIABLE} (or the one that llm-key-env names)."
        )
    return url.rstrip("/").removesuffix(PATH)


def key_from(variable: str) -> str:
    """The key, or nothing. Raises `UsageError` without repeating a value that may be the key itself."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", variable):
        raise UsageError(
            "llm-key-env is not the name of an environment variable (capitals, digits and _). Put the key into a "
            "variable and pass its name: options are recorded with every run."
        )
    key = os.environ.get(variable, "").strip()
    if not key and variable != KEY_VARIABLE:
        raise UsageError(f"llm-key-env names {variable}, which is not set. Set it, or remove llm-key-env.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"The value of {variable} is not a valid key: it has characters that are not allowed in an HTTP header."
        )
    return key
