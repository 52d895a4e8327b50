"""Finds a Coqui TTS voice on this machine: a folder, or the published name of one already downloaded."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstpacket.bench.errors import MissingDependency, UnknownName, UsageError, WeightsError
from firstpacket.pipelines.models import hub

KINDS = ("vits", "xtts")
NAME = re.compile(r"tts_models/[\w.-]+/[\w.-]+/[\w.-]+")
"""Coqui's published names, for example `tts_models/en/ljspeech/vits`."""

_MODEL_FILES = ("model_file.pth", "model_file.pth.tar", "model.pth", "checkpoint.pth", "best_model.pth")
_OTHER_TENSORS = ("speaker", "language", "model_se", "dvae", "mel_stats", "d_vector")
_AGREED = "COQUI_TOS_AGREED"


@dataclass(frozen=True, slots=True)
class CoquiCheckpoint:
    """A checkpoint in Coqui's layout; `source` is what reports call it."""

    kind: str
    folder: Path
    config: Path
    model: Path
    source: str


def find(model: str, licence_accepted: bool) -> CoquiCheckpoint:
    """The checkpoint that `model` names, a folder first.

    Never downloads or prompts. Raises `WeightsError` if there is none or it is of another kind, `UnknownName` for a
    name that Coqui never published, `UsageError` for a licence that was not accepted.
    """
    folder = hub.here(model)
    if folder is not None and folder.is_dir():
        return _in_folder(folder, model)
    if NAME.fullmatch(model):
        return _in_folder(_published(model, licence_accepted), model)
    raise WeightsError(
        f"tts-model is '{model}', which is neither a folder nor one of Coqui's published names "
        "(tts_models/LANGUAGE/DATASET/MODEL). Pass the folder that contains config.json and the model's .pth file."
    )


def _in_folder(folder: Path, source: str) -> CoquiCheckpoint:
    config = folder / "config.json"
    if not config.is_file():
        raise WeightsError(f"{folder} contains no config.json, so it is not a Coqui TTS voice; {_held(folder)}.")
    kind = _kind(config, folder)
    model = _model_file(folder)
    for needed in ("vocab.json", "speakers_xtts.pth") if kind == "xtts" else ():
        if not (folder / needed).is_file():
            raise WeightsError(f"{folder}: this XTTS voice needs {needed}, which is missing; {_held(folder)}.")
    return CoquiCheckpoint(kind, folder, config, model, source)


def _kind(config: Path, folder: Path) -> str:
    content = _read_json(config)
    kind = content.get("model")
    if isinstance(kind, str) and kind.lower() in KINDS:
        return kind.lower()
    if isinstance(kind, str):
        what = f"a Coqui model of the kind '{kind}'"
    elif "model_type" in content or "architectures" in content:
        what = f"a model for transformers (model_type '{content.get('model_type', 'unknown')}')"
    else:
        what = "not a Coqui model: config.json has no field 'model'"
    raise WeightsError(
        f"{folder} holds {what}, but the voice coqui speaks with {' and '.join(KINDS)}. "
        "Set tts-model to the folder of such a voice."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not valid JSON: {error}. Copy the voice's files again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object. Copy the voice's files again.")
    return content


def _model_file(folder: Path) -> Path:
    """The model's tensors: a file with one of Coqui's names, or the only `.pth` file."""
    for name in _MODEL_FILES:
        if (folder / name).is_file():
            return folder / name
    candidates = [path for path in sorted(folder.glob("*.pth")) if not path.name.startswith(_OTHER_TENSORS)]
    if len(candidates) == 1:
        return candidates[0]
    found = f"{len(candidates)} files that could be it" if candidates else "none"
    raise WeightsError(
        f"{folder} must hold the model's tensors as one .pth file ({', '.join(_MODEL_FILES)}), but there are {found}; "
        f"{_held(folder)}."
    )


def _held(folder: Path) -> str:
    names = hub.names(folder)
    if not names:
        return "it is empty"
    return "it holds " + ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _published(name: str, licence_accepted: bool) -> Path:
    entry = _entry(name)
    kept = _data_folder() / name.replace("/", "--")
    agreed = licence_accepted or os.environ.get(_AGREED) == "1" or (kept / "tos_agreed.txt").exists()
    if entry.get("tos_required") and not agreed:
        raise UsageError(
            f"The licence of {name} ({entry.get('license', 'see its page')}) must be accepted first: read it at "
            f"https://tts-hub.github.io/cpml, then set tts-accept-licence=true, or {_AGREED}=1 in the environment."
        )
    repository = entry.get("repo_id")
    if repository:
        return _in_hub_cache(name, str(repository))
    if kept.is_dir():
        return kept
    address = entry.get("github_rls_url")
    raise WeightsError(
        f"{name} is not on this machine ({kept}), and nothing is downloaded during a run. Download it (`curl -LO "
        f"{address}`), unpack it, and set tts-model to the folder with its config.json."
    )


def _entry(name: str) -> dict[str, Any]:
    """The entry for a name in Coqui's list of models; read from the package without importing it."""
    package = importlib.util.find_spec("TTS")
    if package is None or not package.submodule_search_locations:
        raise MissingDependency("Coqui TTS is not installed. Install it with: pip install coqui-tts")
    listed = _read_json(Path(package.submodule_search_locations[0]) / ".models.json")["tts_models"]
    known = {
        f"tts_models/{language}/{dataset}/{model}": entry
        for language, datasets in listed.items()
        for dataset, models in datasets.items()
        for model, entry in models.items()
    }
    if name not in known:
        raise UnknownName("model of Coqui TTS (tts-model)", name, known)
    found: dict[str, Any] = known[name]
    return found


def _data_folder() -> Path:
    """Where Coqui keeps its downloads."""
    from trainer.io import get_user_data_dir

    return Path(get_user_data_dir("tts"))


def _in_hub_cache(name: str, repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except Exception as error:  # the hub's own errors, and those of the file system
        raise WeightsError(
            f"{name} is not in the Hugging Face cache, and nothing is downloaded during a run. Download it (`hf "
            f"download {repository} --local-dir FOLDER`) and set tts-model=FOLDER."
        ) from error
