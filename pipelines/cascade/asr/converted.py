"""A Whisper in transformers' layout, converted to CTranslate2's by that library's own converter, once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.cascade.asr.whisper_config import check_features, check_generation, check_sizes
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint
from firstpacket.pipelines.cascade.asr.whisper_vocabulary import check_folder
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.models.cache import cached
from firstpacket.pipelines.optional import imported

COPIED = ("tokenizer.json", "preprocessor_config.json")


def converted(found: WhisperCheckpoint) -> WhisperCheckpoint:
    """The converted folder, from the cache if these very files were converted before; weights keep their precision.

    Raises `MissingDependency` if it is to be converted without transformers, or `WeightsError`.
    """
    for check in (check_sizes, check_generation, check_features, check_folder):
        check(found)
    library = imported("ctranslate2", "faster-whisper", "The recogniser faster-whisper")
    name = f"whisper-ctranslate2-{library.__version__}-{_digest(found.path)}"
    return WhisperCheckpoint(cached(name, lambda empty: _convert(found, empty)), "ctranslate2", found.source)


def _convert(found: WhisperCheckpoint, into: Path) -> None:
    for module in ("torch", "transformers"):
        imported(module, "transformers", f"To convert {found.path} for faster-whisper, the converter")
    from ctranslate2.converters import TransformersConverter

    present = [name for name in COPIED if (found.path / name).is_file()]
    try:
        TransformersConverter(str(found.path), copy_files=present).convert(str(into), force=True)
    except Exception as error:  # transformers and CTranslate2 raise many kinds for damaged files
        raise WeightsError(
            f"Cannot convert {found.path} for faster-whisper: {cause(error)} Download it again."
        ) from error
    if "preprocessor_config.json" not in present:
        bands = found.json("config.json").get("num_mel_bins", 80)
        (into / "preprocessor_config.json").write_text(json.dumps({"feature_size": bands}), encoding="utf-8")


def _digest(folder: Path) -> str:
    """Changes with the content of any file that the conversion reads."""
    digest = hashlib.sha256()
    for path in sorted((*folder.glob("*.json"), *folder.glob("*.safetensors"))):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]
