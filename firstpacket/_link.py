"""A path that notebooks show as a link."""

from __future__ import annotations

import os
import sys
from html import escape
from urllib.parse import quote

if sys.platform == "win32":
    from pathlib import WindowsPath as LocalPath
else:
    from pathlib import PosixPath as LocalPath


class LinkedPath(LocalPath):
    """A path like any other, but for how notebooks show it."""

    def _repr_html_(self) -> str:
        """A link relative to the notebook, which is what notebooks can open."""
        place = quote(os.path.relpath(self).replace(os.sep, "/"))
        return f'<a href="{place}" target="_blank">{escape(str(self))}</a>'
