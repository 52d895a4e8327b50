"""Texts from outside, made fit for terminals, files and pages."""

from __future__ import annotations

import re

LONGEST_REASON = 2000
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""What may be a label: it names files, and stands in tables and pages."""
_SECRET = re.compile(r"(?i)((?:key|token|secret|password)=)[^,\s]+")
_USERINFO = re.compile(r"(\w+://)[^/@\s]+@")


def clean(text: str) -> str:
    """The text without what no file or terminal should get: lone surrogates, and control characters but \\n and \\t."""
    if text.isascii() and text.isprintable():
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        mark if mark in "\n\t" or (ord(mark) >= 32 and not 127 <= ord(mark) < 160) else "\ufffd" for mark in whole
    )


def without_secrets(word: str) -> str:
    """A word of a command line without what keys, tokens and passwords in it say."""
    return _USERINFO.sub(r"\1…@", _SECRET.sub(r"\1…", word))


def described(error: BaseException) -> str:
    """An exception's message in clean text of bounded length; also if it has none, or cannot give it."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be read"
    return _bounded(text)


def reason(error: BaseException) -> str:
    """`described`, after the name of the exception's class."""
    name, text = type(error).__name__, described(error)
    return _bounded(f"{name}: {text}" if text else name)


def _bounded(text: str) -> str:
    text = clean(text[: LONGEST_REASON + 1])
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def clean_xml(text: str) -> str:
    """`clean`, and without the two code points more that XML 1.0 (section 2.2) does not allow."""
    return clean(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
