"""Whisper through openai-whisper, the published code (PyTorch)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import Declaration, Requirement, Samples, Stage
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.whisper import LOG_PROBABILITY, Whisper, options
from firstpacket.pipelines.cascade.asr.whisper_config import check_sizes
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.optional import imported

SIZES_IN_CONFIG = {
    "n_mels": "num_mel_bins",
    "n_vocab": "vocab_size",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
}
"""openai-whisper's dimensions, and transformers' names for them."""

VOCABULARIES = {51864: 50257, 51865: 50258, 51866: 50258}
"""Sizes of the vocabularies in the package (English, 99 and 100 languages), and the id that begins a transcript."""


class OpenAIWhisper(Whisper):
    """The reference implementation. As published, weights stay in float32 whatever the compute precision, and are
    converted at each use.
    """

    declaration = Declaration(
        name="openai-whisper",
        summary="Whisper through the published code; by default the small demo model or a dummy.",
        stages=(Stage("asr", "listen", "asr"),),
        options=options("float32", "float16"),
        requires=(Requirement("whisper", "openai-whisper"), Requirement("torch", "openai-whisper")),
        starts_before_speech_ends=True,
        gpu="optional",
    )
    layouts = ("openai", "transformers")

    def _open(self, found: WhisperCheckpoint) -> None:
        user = "The recogniser openai-whisper"
        for module in ("torch", "safetensors"):
            imported(module, "openai-whisper", user)
        self._whisper = imported("whisper", "openai-whisper", user)
        self._fp16 = self._check_precision() == "float16"
        dims, tensors = _of_file(found) if found.layout == "openai" else _of_folder(found)
        self._model = _built(self._whisper, dims, tensors).to(self.settings.device).eval()

    def _text(self, samples: Samples, language: str, prefix: str, trace: Trace) -> str:
        if self.settings.switch("asr-fallback"):
            import torch

            torch.manual_seed(self.settings.seed)
        beam = self.settings.whole("asr-beam")
        result = self._model.transcribe(
            samples,
            beam_size=beam if beam > 1 else None,
            logprob_threshold=LOG_PROBABILITY,
            # The library divides by the number of words unless it is given a penalty; there may be none.
            length_penalty=1.0 if prefix else None,
            fp16=self._fp16,
            **self._decoding(language, prefix),
        )
        return str(result["text"])

    def _check_precision(self) -> str:
        precision, device = self._precision(), self.settings.device.partition(":")[0]
        built = ("float32",) if device == "cpu" else ("float32", "float16")
        if precision not in built:
            raise UsageError(
                f"openai-whisper runs on {device} in {' or '.join(built)}, not in {precision}. "
                f"Set the recogniser's own precision, for example asr-compute={built[-1]}."
            )
        return precision


def _of_file(found: WhisperCheckpoint) -> tuple[dict[str, int], Any]:
    """Dimensions and tensors of a `.pt` file."""
    from firstpacket.pipelines.models.fields import Fields
    from firstpacket.pipelines.models.tensors import LoadedTensors, read_pickle

    where = str(found.path)
    content = read_pickle(found.path)
    if not all(isinstance(content.get(part), dict) for part in ("dims", "model_state_dict")):
        raise WeightsError(f"{where} is not an openai-whisper checkpoint: dims or model_state_dict is missing.")
    sizes = Fields(content["dims"], where)
    return {name: sizes.whole(name) for name in SIZES_IN_CONFIG}, LoadedTensors(content["model_state_dict"], where)


def _of_folder(found: WhisperCheckpoint) -> tuple[dict[str, int], Any]:
    """Dimensions and tensors of a folder in transformers' layout, by openai's names."""
    from firstpacket.pipelines.models.fields import Fields
    from firstpacket.pipelines.models.tensors import SafetensorsFolder
    from firstpacket.pipelines.models.whisper_names import Renamed, openai_name

    check_sizes(found)
    config = Fields(found.json("config.json"), str(found.path / "config.json"))
    width = config.whole("d_model")
    config.only(activation_function="gelu", encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width)
    dims = {ours: config.whole(theirs) for ours, theirs in SIZES_IN_CONFIG.items()}
    start = VOCABULARIES.get(dims["n_vocab"])
    if start is not None:
        config.agree("decoder_start_token_id", start, "in openai-whisper's own vocabulary of this size it is")
    tensors = SafetensorsFolder(found.path)
    return dims, Renamed(tensors, {openai_name(name): name for name in tensors.names()})


def _built(library: Any, dims: dict[str, int], tensors: Any) -> Any:
    """The model with its weights, float32 on the CPU. Raises `WeightsError` naming what does not fit."""
    from firstpacket.pipelines.models.tensors import CPU, Uninitialised, is_finite

    if dims["n_vocab"] not in VOCABULARIES:
        raise WeightsError(
            f"{tensors.where} has a vocabulary of {dims['n_vocab']}, which none of openai-whisper's own tokenizers "
            f"fits ({', '.join(map(str, VOCABULARIES))}). Use the recogniser transformers for this model."
        )
    known = {field.name for field in fields(library.ModelDimensions)}
    try:
        with Uninitialised():
            model = library.model.Whisper(library.ModelDimensions(**{name: dims[name] for name in known}))
        wanted = model.state_dict().keys()
        state = {name: tensors.read(name, CPU) for name in wanted & tensors.names()}
        model.load_state_dict(state)
    except (RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{tensors.where}: the weights do not match the configuration: {cause(error)} Download it again."
        ) from error
    bad = sorted(name for name, tensor in model.state_dict().items() if not is_finite(tensor))
    if bad:
        raise WeightsError(f"{tensors.where}: tensor {bad[0]} has values that are NaN or infinite. Download it again.")
    return model
