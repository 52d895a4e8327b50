"""Loads a Coqui TTS checkpoint without running any code in it: tensors are unpickled as tensors, or not at all.

A voice's config.json names files and classes. Only files in its folder are read, and only classes of
Coqui's own text processing are made. Models are built and read through Coqui's own classes.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from firstpacket.bench.errors import BenchError, MissingDependency, WeightsError
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.cascade.tts.coqui.folder import CoquiCheckpoint
from firstpacket.pipelines.cascade.tts.coqui.stand_ins import importable

_TEXT_CLASSES = "TTS.tts."
_FILE_FIELDS = ("d_vector_file", "speaker_file", "speakers_file", "language_ids_file")
_UNUSED_FIELDS = ("speaker_encoder_model_path", "speaker_encoder_config_path")

Result = TypeVar("Result")


def read_vits(found: CoquiCheckpoint, device: str) -> Any:
    """A `Vits` of Coqui on the device. Raises `WeightsError`, or `MissingDependency` for its phonemizer."""
    with importable():
        from TTS.config import load_config
        from TTS.tts.models.vits import Vits
    config = _explained(found, lambda: load_config(found.config))
    _keep_to_folder(config, found.folder)
    _check_phonemizer(config)
    model = _explained(found, lambda: Vits(config))
    _explained(found, lambda: model.load_checkpoint(config, str(found.model), eval=True))
    return _ready(model, device)


def read_xtts(found: CoquiCheckpoint, device: str) -> Any:
    """An `Xtts` of Coqui on the device, with its tokenizer and speakers. Raises `WeightsError`."""
    with importable():
        from TTS.config import load_config
        from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
        from TTS.tts.layers.xtts.xtts_manager import SpeakerManager
        from TTS.tts.models.xtts import Xtts
    config = _explained(found, lambda: load_config(found.config))
    _keep_to_folder(config, found.folder)
    # Coqui's own load_checkpoint writes older checkpoints anew into the user's folder, so its parts are called here.
    model = _explained(found, lambda: Xtts(config))
    model.tokenizer = _explained(found, lambda: VoiceBpeTokenizer(vocab_file=str(found.folder / "vocab.json")))
    model.speaker_manager = _explained(found, lambda: SpeakerManager(str(found.folder / "speakers_xtts.pth")))
    _explained(found, model.init_models)
    _explained(found, lambda: model.load_state_dict(_xtts_tensors(found.model)))
    model.hifigan_decoder.eval()
    model.gpt.init_gpt_for_inference(kv_cache=model.args.kv_cache)
    model.gpt.eval()
    return _ready(model, device)


def _xtts_tensors(path: Path) -> dict[str, Any]:
    """Tensors by name, without what only training uses or what `init_gpt_for_inference` makes.

    The published file also holds its configuration as objects; their classes are plain settings, and the only ones
    that are made besides tensors.
    """
    from TTS.config.shared_configs import BaseDatasetConfig
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig

    older = "TTS.tts.models.xtts"
    settings: list[Any] = [BaseDatasetConfig, XttsConfig, XttsArgs, XttsAudioConfig]
    settings += [(XttsArgs, f"{older}.XttsArgs"), (XttsAudioConfig, f"{older}.XttsAudioConfig")]
    with torch.serialization.safe_globals(settings):
        tensors = torch.load(path, map_location="cpu", weights_only=True)["model"]
    unused = ("torch_mel_spectrogram_style_encoder", "torch_mel_spectrogram_dvae", "dvae", "gpt.gpt_inference")
    named = {name.removeprefix("xtts."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in named.items() if not name.startswith((*unused, "gpt.gpt.wte"))}


def _explained(found: CoquiCheckpoint, step: Callable[[], Result]) -> Result:
    """Run a step; any error from a checkpoint becomes a `WeightsError`."""
    try:
        return step()
    except BenchError:
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{found.folder} contains more than tensors; it was not read, since unpickling it could run code: "
            f"{cause(error)} Use a checkpoint that contains only tensors, from a source that you trust."
        ) from error
    except ImportError as error:
        command = re.search(r"pip install \S+", str(error))
        raise MissingDependency(
            f"{found.folder} needs a library that is not installed: {cause(error)}"
            + (f" Install it with: {command[0]}" if command else "")
        ) from error
    except Exception as error:  # a hostile or damaged checkpoint may make the library raise anything
        raise WeightsError(
            f"{found.folder} cannot be loaded as a {found.kind.upper()} voice of Coqui TTS: {type(error).__name__}: "
            f"{cause(error)} Check that config.json and {found.model.name} belong together, or copy them again."
        ) from error


def _keep_to_folder(config: Any, folder: Path) -> None:
    """Redirect file names in the configuration to files of the folder, and reject foreign classes.

    Statistics of the training audio are left out: a voice needs none, and Coqui unpickles them freely.
    """
    if "stats_path" in config.audio:
        config.audio.stats_path = None
    for part in (config, config.model_args):
        for field in _FILE_FIELDS:
            if field in part:
                part[field] = _beside(part[field], folder)
        for field in _UNUSED_FIELDS:
            if field in part:
                part[field] = ""
    characters = config.get("characters")
    named = characters.characters_class if characters is not None else None
    if named and not str(named).startswith(_TEXT_CLASSES):
        raise WeightsError(
            f"{folder}/config.json asks for the class '{named}' for its characters, but only those of Coqui TTS "
            f"({_TEXT_CLASSES}*) are made. If you trust it, correct characters_class."
        )


def _beside(named: Any, folder: Path) -> Any:
    """The file of that name in the folder, or nothing; a list stays a list."""
    if isinstance(named, (list, tuple)):
        return [path for path in (_beside(each, folder) for each in named) if path]
    path = folder / os.path.basename(str(named or ""))  # noqa: PTH119 (a name from elsewhere, perhaps an address)
    return str(path) if named and path.is_file() else ""


def _check_phonemizer(config: Any) -> None:
    if config.use_phonemes and config.phonemizer == "espeak":
        if shutil.which("espeak-ng") or shutil.which("espeak"):
            return
        raise MissingDependency(
            "This voice needs phonemes, which Coqui TTS gets from the program espeak-ng, and that is not installed. "
            "Install it with: apt-get install espeak-ng (Debian, Ubuntu) or brew install espeak-ng (macOS)"
        )


def _ready(model: Any, device: str) -> Any:
    """On the device, with weight norms folded into the weights they give instead of being taken at every call."""
    for module in list(model.modules()):
        if isinstance(module, nn.Module) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return model.to(device)
