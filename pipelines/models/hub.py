"""Locates published weights: a local folder, or a repository on the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.errors import MissingDependency, WeightsError, explained

HUB_NAME = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?")
"""`owner/name`, or `owner/name@revision` with a branch, a tag or a commit."""

NEEDED_FILES = ("*.json", "*.safetensors", "*.pt", "vocoder/*")
"""Files of a model; pictures and training records are not downloaded."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of weights and its name in reports: its path, or `owner/name@commit`."""

    path: Path
    source: str


def here(path: str) -> Path | None:
    """What exists at a path as a user writes it, or None. Raises `WeightsError` without permission."""
    try:
        place = Path(path).expanduser()
        return place if place.exists() else None
    except PermissionError as error:
        raise WeightsError(
            f"Cannot access {path}: {error.strerror}. Fix the permissions, or copy the model."
        ) from error
    except (OSError, RuntimeError):  # a name too long for a file, or the home of nobody
        return None


def names(folder: Path) -> list[str]:
    """Names of what a folder holds, sorted. Raises `WeightsError` if it may not be read."""
    with explained(f"{folder} cannot be read", "Fix the permissions, or copy the model.", WeightsError):
        return sorted(path.name for path in folder.iterdir())


def locate(weights: str) -> Folder:
    """The folder that `weights` names; a repository is downloaded if it is not in the hub's cache yet.

    A folder comes first if there is one of that name. huggingface_hub's environment variables apply (`HF_HOME`,
    `HF_HUB_OFFLINE`, `HF_TOKEN`). Raises `WeightsError` if there is neither, or `MissingDependency` without that
    library.
    """
    folder = here(weights)
    if folder is not None and folder.is_dir():
        return Folder(folder, weights)
    name = HUB_NAME.fullmatch(weights)
    if name is None:
        raise WeightsError(
            f"weights is '{weights}', which is not 'demo', 'dummy', a folder, or a name on the hub (owner/name or "
            "owner/name@revision). Pass a checkpoint folder or such a name."
        )
    return _fetch(name["id"], name["revision"])


def cached(weights: str) -> Folder | None:
    """The folder that `weights` names, if it is local or in the hub's cache; nothing is downloaded."""
    folder = here(weights)
    if folder is not None and folder.is_dir():
        return Folder(folder, weights)
    name = HUB_NAME.fullmatch(weights)
    if name is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(name["id"], revision=name["revision"], local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError):
        return None
    return Folder(path, f"{name['id']}@{path.name}")


def _fetch(repository: str, revision: str | None) -> Folder:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependency(
            f"Finding {repository} on the Hugging Face hub needs huggingface_hub, which is not installed. Install it "
            "with: pip install huggingface_hub"
        ) from error
    try:
        path = Path(snapshot_download(repository, revision=revision, allow_patterns=list(NEEDED_FILES)))
    except Exception as error:  # the hub's own errors, those of the network, and those of the file system
        wanted = f"{repository}{f'@{revision}' if revision else ''}"
        at = f" --revision {revision}" if revision else ""
        raise WeightsError(
            f"There is no folder '{wanted}', and no such model in the Hugging Face cache; downloading it failed: "
            f"{_first_line(error)} Download it on a machine with network access (`hf download "
            f"{repository}{at} --local-dir FOLDER`), copy the folder here, and set weights=FOLDER."
        ) from error
    return Folder(path, f"{repository}@{path.name}")


def _first_line(error: Exception) -> str:
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return text if text.endswith(".") else f"{text}."
