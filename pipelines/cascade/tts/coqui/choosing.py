"""Which of a checkpoint's speakers and languages is to speak."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.errors import UnknownName, UsageError


def chosen(option: str, value: str, known: Sequence[str], what: str) -> str:
    """The requested one; if none was requested, the only one there is, or nothing if there is none.

    Raises `UsageError` if a choice is needed or impossible, `UnknownName` for one that does not exist.
    """
    if value and not known:
        raise UsageError(f"{option} is '{value}', but this voice has no choice of {what}s. Remove {option}.")
    if value and value not in known:
        raise UnknownName(f"{what} of this voice ({option})", value, known)
    if value or len(known) < 2:
        return value or "".join(known)
    listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    raise UsageError(f"This voice has {len(known)} {what}s. Choose one with {option}: {listed}.")
