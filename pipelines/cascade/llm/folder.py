"""Checks that a folder contains a causal language model that is safe to read; if not, says what it contains instead."""

from __future__ import annotations

from pathlib import Path

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models import hub
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import listed, read_json

WANTED = "config.json, tokenizer.json and the *.safetensors files of a causal language model"
PICKLES = {".bin", ".pt", ".pth", ".ckpt"}
ARCHITECTURES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""How transformers names models that continue a text."""

LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
"""What the number of layers is called in one configuration or another."""


def find(model: str) -> hub.Folder:
    """The folder that llm-model names, by path or by name on the hub. Raises `WeightsError`; nothing is downloaded."""
    found = hub.cached(model)
    if found is not None:
        return found
    if _is_path(model):
        raise WeightsError(f"llm-model: no such folder: {model}. Pass a folder with {WANTED}.")
    raise WeightsError(
        f"The language model '{model}' is neither a folder nor in the Hugging Face cache, and nothing is downloaded "
        f"during a run. Run `hf download {model}` first, or set llm-model to a folder."
    )


def configuration(folder: Path) -> Fields:
    """Its config.json. Raises `WeightsError` if the folder is not that of a causal model in safetensors."""
    names = hub.names(folder)
    if "config.json" not in names:
        raise WeightsError(f"{folder} {_holds(names)} and no config.json. Set llm-model to a folder with {WANTED}.")
    fields = Fields(read_json(folder / "config.json"), str(folder / "config.json"))
    kind = unlike_causal(fields)
    if kind:
        raise WeightsError(f"{folder} is not a causal language model: {kind}. Set llm-model to the folder of one.")
    if not any(name.endswith(".safetensors") for name in names):
        raise WeightsError(f"{folder} {_holds(names)} and no *.safetensors file. {_advice(names)}")
    return fields


def unlike_causal(fields: Fields) -> str:
    """What makes this another kind of model; empty for one that transformers knows as causal."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN
    from transformers.models.auto.modeling_auto import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES as LISTENERS

    json = fields.json
    kind, architectures = json.get("model_type"), json.get("architectures") or []
    if not isinstance(architectures, list):
        return f"architectures is {architectures!r} in its config.json"
    if not isinstance(kind, str):
        other = json.get("model")
        return "its config.json has no model_type" + (f" (its 'model' is '{other}')" if isinstance(other, str) else "")
    named = f"its config.json is of a '{kind}'" + (f" ({', '.join(map(str, architectures))})" if architectures else "")
    if kind not in KNOWN and json.get("auto_map"):
        return f"{named} that brings its own code, and no code of a checkpoint is run"
    suits = not architectures or any(str(name).endswith(ARCHITECTURES) for name in architectures)
    # transformers counts a recogniser's decoder as causal, but on its own it cannot answer.
    continues = kind in KNOWN and kind not in LISTENERS and not json.get("is_encoder_decoder")
    return "" if continues and suits else named


def check_layers(fields: Fields, tensors: int) -> None:
    """Reject more layers than there are tensors: building them could take hours. Raises `WeightsError`."""
    for name in LAYERS:
        layers = fields.whole(name, 1)
        if layers > tensors:
            raise WeightsError(
                f"{fields.where}: {name} is {layers}, but its files contain only {tensors} tensors in all. Download "
                "them again, or copy the config.json published with these weights."
            )


def _holds(names: list[str]) -> str:
    return f"holds {listed(names, what='file')}" if names else "holds nothing"


def _advice(names: list[str]) -> str:
    if any(Path(name).suffix in PICKLES for name in names):
        return (
            "Pickled weights are not loaded, since a pickle may run code: download the model in safetensors format, "
            "or convert it "
            "(AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW) writes them)."
        )
    return f"Set llm-model to a folder with {WANTED}."


def _is_path(model: str) -> bool:
    """Names on the hub are `owner/name`: one slash at most, and no beginning that only a path has."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model
