"""Whether a folder holds a causal language model that is safe to read; if not, what it holds instead."""

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
    """The folder that llm-model names, also by its name on the hub. Raises `WeightsError`; nothing is fetched."""
    found = hub.cached(model)
    if found is not None:
        return found
    if _is_path(model):
        raise WeightsError(f"There is no folder {model}, which llm-model names. Give the folder that holds {WANTED}.")
    raise WeightsError(
        f"The language model '{model}' is neither a folder nor in the hub's cache. Nothing is downloaded during a run: "
        f"fetch a published model first (`hf download {model}`), or give llm-model a folder."
    )


def configuration(folder: Path) -> Fields:
    """Its config.json. Raises `WeightsError` if the folder is not that of a causal model in safetensors."""
    names = hub.names(folder)
    if "config.json" not in names:
        raise WeightsError(f"{folder} {_holds(names)} and no config.json. Give llm-model the folder with {WANTED}.")
    fields = Fields(read_json(folder / "config.json"), str(folder / "config.json"))
    kind = unlike_causal(fields)
    if kind:
        raise WeightsError(f"{folder} holds no causal language model: {kind}. Give llm-model the folder of one.")
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
    # The decoder of a recogniser counts as causal there, but alone it answers nobody.
    continues = kind in KNOWN and kind not in LISTENERS and not json.get("is_encoder_decoder")
    return "" if continues and suits else named


def check_layers(fields: Fields, tensors: int) -> None:
    """Refuse more layers than there are tensors: they would be built for hours. Raises `WeightsError`."""
    for name in LAYERS:
        layers = fields.whole(name, 1)
        if layers > tensors:
            raise WeightsError(
                f"{fields.where}: {name} is {layers}, but the files beside it hold {tensors} tensors in all. "
                "Fetch them again, or copy the config.json that was published with these weights."
            )


def _holds(names: list[str]) -> str:
    return f"holds {listed(names, what='file')}" if names else "holds nothing"


def _advice(names: list[str]) -> str:
    if any(Path(name).suffix in PICKLES for name in names):
        return (
            "Pickled weights are not read, as a pickle may run code: fetch the model in safetensors, or convert it "
            "(AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW) writes them)."
        )
    return f"Give llm-model the folder with {WANTED}."


def _is_path(model: str) -> bool:
    """Names on the hub are `owner/name`: one slash at most, and no beginning that only a path has."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model
