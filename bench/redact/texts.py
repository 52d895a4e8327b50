"""Texts without what they say, and without the names of people's folders and servers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from firstpacket.bench.sanitize import without_secrets

PLACEHOLDER = "redacted"
_WORD = re.compile(r"\S+")
_HOST = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@\s]*@)?(\[[^\]\s]+\]|[^/:?#\s,;'\")]+)")
_HOME = re.compile(r"(?:/home|/Users|\b[A-Za-z]:\\Users)[/\\][^/\\\s:,;'\"]+")
SHORTEST_KNOWN = 8
"""Characters of a text that is looked for in other texts: shorter ones, such as "yes", occur anywhere."""


def without_words(text: str) -> str:
    """The text with a placeholder for every word: figures that count words, or only need some, stay as they are."""
    return _WORD.sub(PLACEHOLDER, text)


def checksum(text: str) -> str:
    """A placeholder for a text that is the same for the same text, so that systems can still be told apart."""
    return f"{PLACEHOLDER}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def hosts_in(texts: Iterable[str]) -> Iterator[str]:
    """The hosts of all addresses in the texts but this machine's own, in order."""
    for text in texts:
        yield from (host for host in _HOST.findall(text) if not _is_this_machine(host))


@dataclass(frozen=True, slots=True)
class Names:
    """What stands for names that others need not know: hosts and clips by what replaces them."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    clips: Mapping[str, str] = field(default_factory=dict)
    """Empty if clips keep their names."""
    prompts: tuple[str, ...] = ()
    """Texts that models were given."""

    def clip(self, name: str) -> str:
        """The name that a clip has in the copy."""
        return self.clips.get(name, name)

    def scrubbed(self, text: str, known: Iterable[str] = ()) -> str:
        """A text for people, such as a reason: without home folders, hosts, secrets, prompts and the `known` texts."""
        for each in sorted({*known, *self.prompts}, key=len, reverse=True):
            if len(each) >= SHORTEST_KNOWN:
                text = text.replace(each, PLACEHOLDER)
        for before, after in (*self.hosts.items(), *self.clips.items()):
            text = re.sub(rf"(?<![\w.-]){re.escape(before)}(?![\w-]|\.\w)", after, text)
        return _HOME.sub("~", without_secrets(text))


def is_prompt(value: object) -> bool:
    """Whether an option's value is a text that a model is given: one of several words."""
    return isinstance(value, str) and len(value.split()) > 1


def numbered_hosts(texts: Iterable[str]) -> dict[str, str]:
    """`server-1`, `server-2` and so on for the hosts in the texts, by order of appearance."""
    return {host: f"server-{number}" for number, host in enumerate(dict.fromkeys(hosts_in(texts)), start=1)}


def numbered_clips(names: Iterable[str]) -> dict[str, str]:
    """Names by number, which sort as the original ones do: intervals draw clips in the order of their names."""
    ordered = sorted(set(names))
    width = len(str(len(ordered)))
    return {name: f"clip-{number:0{width}}" for number, name in enumerate(ordered, start=1)}


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
