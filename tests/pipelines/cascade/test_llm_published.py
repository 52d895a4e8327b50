"""Published folders: both decoders equal `generate`, and other kinds of model are refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from support import llm_folders  # noqa: E402 (needs torch)

from firstpacket.pipelines.cascade.llm import conversation, dummy  # noqa: E402
from firstpacket.pipelines.models import memory_budget  # noqa: E402

TEXTS = ("hello", "What is the capital of France?", "Tell me a story, please.")
MODELS: dict[str, Callable[[], Any]] = {
    "untied": llm_folders.llama,
    "tied": lambda: llm_folders.llama(tie_word_embeddings=True),
    "one head each": lambda: llm_folders.llama(num_key_value_heads=6),
    "stretched rotations": lambda: llm_folders.llama(rope_parameters=llm_folders.LLAMA_3),
}


def loaded(folder: Path, dtype: str = "float32", seed: int = 0, **changed: Any) -> TransformersLM:
    options = {option.name: option.default for option in TransformersLM.declaration.options}
    given = {"llm-model": str(folder), "llm-max-tokens": 12, "llm-context": 512}
    given |= {name.replace("_", "-"): value for name, value in changed.items()}
    made = TransformersLM(Settings(dtype=dtype, seed=seed, options={**options, **given}))
    made.load()
    return made


def reply(model: TransformersLM, text: str) -> str:
    return "".join(model.reply(text, Trace(MonotonicClock())))


def generated(folder: Path, text: str, prompt: list[int], **how: Any) -> str:
    """What transformers' own `generate` says, from the folder alone."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([prompt])
    how = {"max_new_tokens": 12, "do_sample": False, **how}
    out = model.generate(ids, attention_mask=torch.ones_like(ids), **how)
    return str(words.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


@pytest.fixture(scope="module", params=list(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llm_folders.write(tmp_path_factory.mktemp("llama"), MODELS[request.param]())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llm_folders.write(tmp_path_factory.mktemp("plain"), llm_folders.llama())


@pytest.fixture
def copied(plain: Path, tmp_path: Path) -> Path:
    """A folder that may be changed."""
    return Path(shutil.copytree(plain, tmp_path / "copied"))


def test_both_decoders_equal_generate(folder: Path) -> None:
    own, library = loaded(folder), loaded(folder, llm_decoder="transformers")
    assert own.facts()["llm_decoder"] == "own"
    assert library.facts()["llm_decoder"] == "transformers"
    said = []
    for text in TEXTS:
        prompt = own._ready().writer.conversation.prompt(text)
        said.append(generated(folder, text, prompt))
        assert reply(own, text) == reply(library, text) == said[-1]
    assert len(set(said)) == len(TEXTS), "a model that says the same to everything proves nothing"
    assert reply(own, TEXTS[0]) == said[0], "nothing of a turn is left in the next"


def test_no_reply_ends_before_the_fewest_tokens(copied: Path) -> None:
    """The token that this model begins with is made the one that ends replies."""
    model = loaded(copied)
    prompt = model._ready().writer.conversation.prompt("hello")
    first = int(model._ready().writer.decoder.prefill(prompt).argmax())
    llm_folders.change(copied / "generation_config.json", eos_token_id=[first])
    assert reply(loaded(copied), "hello") == ""
    wanted = generated(copied, "hello", prompt, min_new_tokens=5)
    assert wanted
    for decoder in ("own", "transformers"):
        assert reply(loaded(copied, llm_min_tokens=5, llm_decoder=decoder), "hello") == wanted


def test_samples_follow_the_seed(plain: Path) -> None:
    def sampled(seed: int) -> list[str]:
        model = loaded(plain, seed=seed, llm_temperature=1.5)
        return [reply(model, "hello") for _ in range(2)]

    assert sampled(1) == sampled(1)
    assert sampled(1)[0] == sampled(1)[1], "turns are independent"
    assert sampled(1) != sampled(2)
    assert sampled(1)[0] != reply(loaded(plain), "hello")


def test_other_architectures_run_in_transformers(tmp_path: Path) -> None:
    folder = llm_folders.write(tmp_path, llm_folders.gpt2())
    model = loaded(folder)
    facts = model.facts()
    assert facts["llm_decoder"] == "transformers"
    assert "model_type is 'gpt2', but only 'llama' is supported" in str(facts["llm_decoder_reason"])
    assert facts["llm_cache"] == "static, 512 positions"
    for text in TEXTS:
        assert reply(model, text) == generated(folder, text, model._ready().writer.conversation.prompt(text))
    with pytest.raises(UsageError, match=r"llm-decoder=own works only with plain Llamas.*model_type is 'gpt2'"):
        loaded(folder, llm_decoder="own")


def test_a_cache_that_the_model_does_not_understand_is_not_used(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firstpacket.pipelines.cascade.llm import hf_causal

    class Forgetful(transformers.StaticCache):
        def update(self, keys: Any, values: Any, *others: Any, **named: Any) -> Any:
            return super().update(torch.zeros_like(keys), values, *others, **named)

    wanted = reply(loaded(plain), "hello")
    monkeypatch.setattr(hf_causal, "StaticCache", Forgetful)
    model = loaded(plain, llm_decoder="transformers")
    assert model.facts()["llm_cache"] == "dynamic, 512 positions"
    assert reply(model, "hello") == wanted


@pytest.mark.parametrize("changed", [{"attention_bias": True}, {"hidden_act": "gelu"}, {"mlp_bias": True}])
def test_a_llama_with_unsupported_parts_runs_in_transformers(tmp_path: Path, changed: dict[str, Any]) -> None:
    model = loaded(llm_folders.write(tmp_path, llm_folders.llama(**changed)))
    assert next(iter(changed)) in str(model.facts()["llm_decoder_reason"])
    assert model.facts()["llm_decoder"] == "transformers"


def test_tensors_without_a_place_are_named(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    save_file({**tensors, "model.extra": torch.zeros(2)}, copied / "model.safetensors", {"format": "pt"})
    for decoder in ("own", "transformers"):
        assert loaded(copied, llm_decoder=decoder).facts()["llm_unused_tensors"] == "tensor model.extra"


@pytest.mark.parametrize("decoder", ["own", "transformers"])
def test_a_tensor_that_is_missing_is_never_made_up(copied: Path, decoder: str) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks tensor model\.layers\.1\.mlp\.up_proj\.weight"):
        loaded(copied, llm_decoder=decoder)


def test_a_model_that_does_not_fit_in_memory_is_refused(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_budget, "free_bytes", lambda _: 1000)
    for decoder in ("own", "transformers"):
        with pytest.raises(WeightsError, match=r"does not fit on cpu.*--dtype bfloat16"):
            loaded(plain, llm_decoder=decoder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        loaded(tmp_path / "nothing")


def test_a_name_that_was_not_fetched() -> None:
    with pytest.raises(WeightsError, match="nothing is downloaded"):
        loaded(Path("someone/no-such-model"))


def whisper(folder: Path) -> None:
    config = transformers.WhisperConfig(architectures=["WhisperForConditionalGeneration"])
    config.save_pretrained(folder)
    (folder / "model.safetensors").touch()


def vits(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model": "vits", "run_name": "x"}))
    (folder / "model_file.pth").touch()


def pickled(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "pytorch_model.bin").touch()


def with_code(folder: Path) -> None:
    auto = {"AutoModelForCausalLM": "modeling_own.Own"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    (folder / "modeling_own.py").write_text("raise SystemExit('code of a checkpoint was run')")
    (folder / "model.safetensors").touch()


def classifier(folder: Path) -> None:
    llm_folders.llama().config.save_pretrained(folder)
    llm_folders.change(folder / "config.json", architectures=["LlamaForSequenceClassification"])
    (folder / "model.safetensors").touch()


def no_configuration(folder: Path) -> None:
    (folder / "adapter.safetensors").touch()
    (folder / "README.md").touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "holds nothing and no config.json"),
        (no_configuration, r"holds files README\.md, adapter\.safetensors and no config\.json"),
        (
            whisper,
            r"not a causal language model: its config\.json is of a 'whisper' \(WhisperForConditionalGeneration\)",
        ),
        (vits, r"not a causal language model: its config\.json has no model_type \(its 'model' is 'vits'\)"),
        (pickled, r"holds files config\.json, pytorch_model\.bin and no \*\.safetensors.*a pickle may run code"),
        (with_code, r"of a 'own' that brings its own code, and no code of a checkpoint is run"),
        (classifier, r"of a 'llama' \(LlamaForSequenceClassification\)"),
    ],
)
def test_a_folder_of_the_wrong_kind_is_described(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    make(tmp_path)
    with pytest.raises(WeightsError, match=said):
        loaded(tmp_path)


def test_a_tokenizer_with_more_ids_than_the_model(tmp_path: Path) -> None:
    llm_folders.write(tmp_path, llm_folders.llama(vocab_size=300))
    with pytest.raises(WeightsError, match=r"has ids up to \d+, but the model's vocabulary has 300"):
        loaded(tmp_path)


def test_an_end_that_the_tokenizer_does_not_know(copied: Path) -> None:
    llm_folders.change(copied / "generation_config.json", eos_token_id=1023)
    with pytest.raises(WeightsError, match=r"ends with id 1023 \(eos_token_id\), which the tokenizer does not know"):
        loaded(copied)


def test_a_model_without_any_end_token_is_refused(copied: Path) -> None:
    for file in ("generation_config.json", "config.json"):
        llm_folders.change(copied / file, eos_token_id=None)
    llm_folders.change(copied / "tokenizer_config.json", eos_token=None)
    with pytest.raises(WeightsError, match="which token ends a reply"):
        loaded(copied)


def test_a_tokenizer_that_cannot_be_read(copied: Path) -> None:
    (copied / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="Cannot load the language model"):
        loaded(copied)


def template(folder: Path, text: str) -> Path:
    (folder / "chat_template.jinja").write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ 1 / 0 }}",
        "{% for",
        "{{ messages[0].content.missing.deeper }}",
        "{{ raise_exception('never') }}",
    ],
)
def test_a_hostile_template_is_refused(copied: Path, text: str) -> None:
    with pytest.raises(WeightsError, match="its chat template failed"):
        loaded(template(copied, text))


def test_an_endless_chat_template_is_abandoned(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "TEMPLATE_LIMIT_S", 0.05)
    endless = "{% for a in range(300) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    with pytest.raises(WeightsError, match="does not terminate"):
        loaded(template(copied, endless))


def test_a_template_that_refuses_a_system_text_gets_it_with_the_users(copied: Path) -> None:
    text = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}"
    model = loaded(template(copied, text))
    ids = model._ready().writer.conversation.prompt("hello")
    assert dummy.tokenizer().decode(ids).endswith("short spoken sentences.\n\nhello")


def test_todays_date_is_in_no_prompt(copied: Path) -> None:
    """Llama 3.2's template takes the day from the clock unless it is given one."""
    text = "{% if date_string is not defined %}{{ strftime_now('%d %b %Y') }}{% endif %}{{ messages[1].content }}"
    model = loaded(template(copied, text))
    assert dummy.tokenizer().decode(model._ready().writer.conversation.prompt("hello")) == "hello"


def test_a_prompt_that_does_not_begin_like_the_others_is_taken_in_whole(copied: Path) -> None:
    """And the next one is answered as if it had never been."""
    text = "{% if 'odd' in messages[1].content %}!{% endif %}{{ messages[0].content }} {{ messages[1].content }}"
    model = loaded(template(copied, text))
    head = model._ready().writer.conversation.head
    prompts = {said: model._ready().writer.conversation.prompt(said) for said in ("hello", "an odd one")}
    assert prompts["hello"][: len(head)] == head != prompts["an odd one"][: len(head)]
    for said in ("hello", "an odd one", "hello"):
        assert reply(model, said) == generated(copied, said, prompts[said])


@pytest.mark.parametrize("decoder", ["auto", "own", "transformers"])
def test_more_layers_than_there_are_tensors_are_not_built(copied: Path, decoder: str) -> None:
    llm_folders.change(copied / "config.json", num_hidden_layers=10**9)
    with pytest.raises(WeightsError, match=r"num_hidden_layers is 1000000000, but its files contain only \d+ tensors"):
        loaded(copied, llm_decoder=decoder)


def test_a_recogniser_is_refused_as_language_model(tmp_path: Path) -> None:
    """Its decoder counts as a causal model in transformers, and would answer nothing at all."""
    from support import tiny_whisper

    with pytest.raises(WeightsError, match=r"is not a causal language model: its config\.json is of a 'whisper'"):
        loaded(tiny_whisper.write(tmp_path))


def test_a_library_error_is_shortened_to_one_line(copied: Path) -> None:
    llm_folders.change(copied / "config.json", hidden_size="48")
    with pytest.raises(WeightsError, match=r"field 'hidden_size': TypeError: .*expected int") as raised:
        loaded(copied, llm_decoder="transformers")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["~nobody-has-this-name/llama", "/" + "x" * 300])
def test_an_impossible_path_is_reported_as_a_missing_folder(model: str) -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        loaded(model)
