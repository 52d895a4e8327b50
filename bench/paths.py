"""Where the project's own data are, and the files that belong to a user and a machine, not to a run."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from firstpacket.bench.errors import RunError

_SURROGATE = re.compile(r"[\ud800-\udfff]")
CACHE = "FIRSTPACKET_CACHE"
"""Environment variable that names the cache folder."""

DATASETS = Path(__file__).resolve().parents[1] / "datasets"
"""Where the data of this project are, in a checkout and in an installed wheel alike: next to this package."""

_DOCUMENTS = Path(__file__).resolve().parents[1] / "docs"
"""Where the documents are, in a checkout and in an installed wheel alike."""


def name_as_text(name: str | Path) -> str:
    """A file's name as UTF-8 text, whatever the locale; bytes of a name that is not UTF-8 become `\\xe9`.

    Python reads names with the encoding of the locale, and puts surrogates where that fails.
    """
    text = str(name)
    raw = _encoded(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace") if _SURROGATE.search(text) else text


def file_named(folder: Path, name: str) -> Path:
    """The file that a UTF-8 text names, relative to `folder` or absolute.

    Where the locale is another encoding, Python spells that file's name in another way than the text.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return folder / name
    by_bytes = folder / os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return by_bytes if by_bytes.exists() else folder / name


def _encoded(name: str) -> bytes:
    """A name's bytes: in the encoding of the locale, or in UTF-8 if that has no such characters."""
    for encoding in (sys.getfilesystemencoding(), "utf-8"):
        with suppress(UnicodeEncodeError):
            return name.encode(encoding, "surrogateescape")
    return name.encode("utf-8", "replace")


def documentation(page: str) -> Path:
    """The installed file of a page such as `gate`, for messages: it can be opened wherever the message is read."""
    return _DOCUMENTS / f"{page}.md"


def cache() -> Path:
    """Where generated files are kept: `FIRSTPACKET_CACHE`, else `firstpacket` in this user's cache folder."""
    if chosen := os.environ.get(CACHE):
        return Path(chosen).expanduser()
    return _users() / "firstpacket"


def replace_text(file: Path, text: str) -> None:
    """Write a file so that readers see the old text or the new one, never a part. Raises `OSError`."""
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def write_file(out: Path, content: str | bytes) -> Path:
    """Write a file that a user named, and return it: readers see the old one or the new one. Folders are made.

    Raises `RunError`.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    part = out.with_name(f"{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not out.is_file():  # such as /dev/stdout
            out.write_bytes(data)
        else:
            part.write_bytes(data)
            part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RunError(f"Cannot write {out}: {error.strerror}. Choose another file.") from error
    return out


def _users() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
