"""What remains of a server's limits on requests and tokens, as OpenAI's `rate_limits.updated` states it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from firstpacket.bench.timing.spans import Message, TurnTrace

TYPE = "rate_limits.updated"
MOST_LIMITS = 100
"""Entries of a message that are looked at."""


def lowest_left(trace: TurnTrace) -> float | None:
    """The lowest `remaining` over `limit` in a turn's messages, 0 to 1; None if the server stated none."""
    return min((share for message in trace.messages for share in _shares(message)), default=None)


def _shares(message: Message) -> Iterator[float]:
    if message.type != TYPE or message.sent:
        return
    try:
        limits = json.loads(message.body)["rate_limits"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for each in limits[:MOST_LIMITS] if isinstance(limits, list) else ():
        limit, remaining = (_number(each, name) for name in ("limit", "remaining"))
        if limit and remaining is not None:
            yield min(remaining / limit, 1.0)


def _number(limits: Any, name: str) -> float | None:
    """A count that can have been meant: not negative, and no infinity."""
    value = limits.get(name) if isinstance(limits, dict) else None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 2**63:
        return None
    return float(value)
