"""What a browser may do with a report: run its own script, play what is inside; ask nothing of anybody."""

from __future__ import annotations

import base64
import hashlib


def content_policy(script: str) -> str:
    """A Content-Security-Policy (level 3) that allows this one script, to the letter, and nothing from outside.

    Texts of a run are escaped wherever they stand; a browser that keeps to this would not run one that was not.
    """
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    allowed = {
        "default-src": "'none'",
        "script-src": f"'sha256-{sha256}'",
        "style-src": "'unsafe-inline'",
        "media-src": "data:",
        "connect-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {where}" for what, where in allowed.items())
