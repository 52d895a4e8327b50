"""Libraries that come with an extra: imported when used, with an error that says how to install them."""

from __future__ import annotations

import importlib
from typing import Any

from firstpacket.bench.errors import MissingDependency, install_command


def imported(module: str, extra: str, user: str) -> Any:
    """The module. Raises `MissingDependency` with the pip command for the `extra` that brings it; `user` needs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{user} needs {module}, which cannot be imported: {error}. Install it with: {install_command(extra)}"
        ) from error
