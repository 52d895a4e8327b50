"""Checks that the settings in a Whisper folder match its weights.

This runs before a library builds the model: an absurd number of layers would be built for hours, and features of
another kind would be transcribed as different words.
"""

from __future__ import annotations

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint
from firstpacket.pipelines.models.fields import Fields

FEATURES = {"sampling_rate": SAMPLE_RATE, "hop_length": 160, "n_fft": 400, "chunk_length": 30}
"""What every Whisper hears (Radford et al. 2022, section 2.2)."""

IDS = (
    "decoder_start_token_id",
    "eos_token_id",
    "no_timestamps_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
)


def check_sizes(found: WhisperCheckpoint) -> None:
    """Check config.json of a folder in transformers' layout against its tensors. Raises `WeightsError`. Missing tensors
    are reported later, when they are read.
    """
    from firstpacket.pipelines.models.tensors import SafetensorsFolder

    config = Fields(found.json("config.json"), str(found.path / "config.json"))
    tensors = SafetensorsFolder(found.path)
    names = {name.removeprefix("model."): name for name in tensors.names()}
    width = config.whole("d_model")
    shapes = {
        "encoder.conv1.weight": (width, config.whole("num_mel_bins"), 3),
        "encoder.embed_positions.weight": (config.whole("max_source_positions"), width),
        "decoder.embed_positions.weight": (config.whole("max_target_positions"), width),
        "decoder.embed_tokens.weight": (config.whole("vocab_size"), width),
    }
    for half in ("encoder", "decoder"):
        layers = config.whole(f"{half}_layers")
        there = len({name.split(".")[2] for name in names if name.startswith(f"{half}.layers.")})
        if layers != there:
            raise _unlike(found, f"{half}_layers is {layers}, but {there} are there")
        heads, inner = config.whole(f"{half}_attention_heads"), config.whole(f"{half}_ffn_dim")
        if width % heads:
            raise _unlike(found, f"d_model is {width}, which {half}_attention_heads, {heads}, does not divide")
        shapes[f"{half}.layers.0.fc1.weight"] = (inner, width)
    for name, shape in shapes.items():
        has = tuple(tensors.shape(names[name])) if name in names else shape
        if has != shape:
            raise _unlike(found, f"the tensor {name} should have the shape {shape}, but has {has}")


def check_features(found: WhisperCheckpoint) -> None:
    """Reject features that no Whisper was trained on; describing them is optional. Raises `WeightsError`."""
    if not (found.path / "preprocessor_config.json").is_file():
        return
    features = Fields(found.json("preprocessor_config.json"), str(found.path / "preprocessor_config.json"))
    features.only(**FEATURES)
    features.whole("feature_size", 80)
    if found.layout == "transformers":
        features.agree("feature_size", found.json("config.json")["num_mel_bins"], "num_mel_bins of config.json is")


def check_generation(found: WhisperCheckpoint) -> None:
    """Reject ids outside the model's vocabulary; these settings are optional. Raises `WeightsError`."""
    path = found.path / "generation_config.json"
    if not path.is_file():
        return
    generation, vocab = Fields(found.json(path.name), str(path)), found.json("config.json")["vocab_size"]
    used = {name: max(generation.wholes(name, least=0)) for name in IDS if generation.json.get(name)}
    for name in ("lang_to_id", "task_to_id") if generation.json.get("is_multilingual") else ():
        known = generation.inner(name)
        used[name] = max((known.whole(word, least=0) for word in known.json), default=vocab)
    for name, highest in used.items():
        if highest >= vocab:
            raise WeightsError(
                f"{path}: {name} goes up to {highest}, but the model's vocabulary has {vocab}. "
                "Copy the generation_config.json published with these weights."
            )


def _unlike(found: WhisperCheckpoint, why: str) -> WeightsError:
    return WeightsError(
        f"{found.path}: config.json does not match the weights: {why}. Download the folder again, or copy the "
        "config.json published with these weights."
    )
