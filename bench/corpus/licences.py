"""What a recording's licence, as the manifest names it, forbids when the recording is passed on."""

from __future__ import annotations

import re

NONE_STATED = "none stated"
"""The licence of recordings whose source states none."""

_FORBIDS = (
    (rf"{NONE_STATED}|unknown", "without a licence nobody may pass the recordings on"),
    (r"\bNC\b|non-?commercial", "not for commercial use"),
    (r"\bND\b|no-?deriv", "changed recordings must not be passed on"),
    (r"\b(?:not|never) (?:to )?(?:be )?pass(?:ed)? on\b|no redistribution", "the recordings must not be passed on"),
)


def restrictions(licence: str) -> tuple[str, ...]:
    """What the licence forbids, as far as its name says so; empty for free licences, and where no licence is named."""
    return tuple(text for pattern, text in _FORBIDS if re.search(pattern, licence, re.IGNORECASE))
