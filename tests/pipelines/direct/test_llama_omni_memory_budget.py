"""Loading takes little memory besides the weights, and a model that cannot fit is refused before loading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig, EncoderConfig, OmniConfig
from firstpacket.pipelines.direct.llama_omni.listening import WholeListener
from firstpacket.pipelines.direct.llama_omni.loading import budget_of
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.models import memory_budget
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.memory_budget import MemoryBudget

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tests/support/loading_memory.py"


def middling() -> OmniConfig:
    """About 100 million weights, of which no tensor has more than a tenth."""
    base = dummy.config("tiny")
    llm = LlamaConfig(1024, 4, 16, 4, 64, 4096, 8192)
    decoder = replace(base.speech_decoder, state=1024, layers=LlamaConfig(1024, 2, 16, 16, 64, 2816, 8192))
    encoder = EncoderConfig(mels=80, positions=100, state=384, heads=6, layers=4)
    return replace(base, encoder=encoder, adaptor=AdaptorConfig(5, 384, 1024, 512), llm=llm, speech_decoder=decoder)


def write(published: Any, config: OmniConfig) -> Path:
    """Small random values in float16, in two shards, with the encoder in a pickle and again in the shards."""
    published.config |= {"hidden_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 16}
    published.config |= {"num_key_value_heads": 4, "intermediate_size": 4096, "vocab_size": 8192}
    published.config |= {"ctc_decoder_config": "(2,1024,16,2816)", "unit_vocab_size": 1000}
    model = LlamaOmni.without_weights(config, CPU, torch.float16)
    prefixes = {"llm": "", "adaptor": "model.speech_projector.", "speech decoder": "speech_generator."}
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    for part, (module, _) in model.parts().items():
        filled = module.to(torch.float16).to_empty(device="cpu").state_dict()
        tensors[part] = {name: tensor.fill_(0.01) for name, tensor in filled.items()}
    published.shards = {f"{p}{name}": tensor for part, p in prefixes.items() for name, tensor in tensors[part].items()}
    published.shards |= {f"model.speech_encoder.{name}": t.clone() for name, t in tensors["speech encoder"].items()}
    encoder = {f"encoder.{name}": tensor for name, tensor in tensors["speech encoder"].items()}
    dims = {"n_mels": 80, "n_audio_ctx": 100, "n_audio_state": 384, "n_audio_head": 6, "n_audio_layer": 4}
    published.whisper = {"dims": dims, "model_state_dict": encoder}
    published.vocoder = tensors["vocoder"]
    sizes = config.vocoder
    published.vocoder_config |= {
        "num_embeddings": sizes.units,
        "embedding_dim": sizes.embedding,
        "upsample_initial_channel": sizes.first_channels,
        "upsample_rates": sizes.up_rates,
        "upsample_kernel_sizes": sizes.up_kernels,
        "resblock_kernel_sizes": sizes.res_kernels,
        "resblock_dilation_sizes": sizes.res_dilations,
        "dur_predictor_params": {"var_pred_hidden_dim": sizes.duration_inner, "var_pred_kernel_size": 3},
    }
    folder: Path = published.write()
    names = sorted(published.shards)
    files = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: published.shards[name] for name in names if files[name] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    return folder


@pytest.fixture(scope="module")
def loadings(make_published: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What loading took, by dtype."""
    folder = write(make_published(tmp_path_factory.mktemp("middling")), middling())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), str(folder), "float16", "float32"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=True)
    return {found["dtype"]: found for found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_loading_takes_a_tenth_more_than_the_weights_at_most(loadings: dict[str, Any], dtype: str) -> None:
    taken = loadings[dtype]
    assert taken["weights"] > 190e6
    assert taken["anonymous"] <= 1.1 * taken["weights"]
    assert taken["resident"] <= 1.1 * taken["weights"] + 40e6, "mapped pages must not pile up beside the weights"
    assert not taken["compiler"], "torch's compiler takes seconds to import and nobody needs it here"


def of_8b(dtype: torch.dtype, new: int = 256) -> MemoryBudget:
    return budget_of(dummy.config("8b"), CPU, dtype, text=66, new=new, options="less")


def test_the_memory_of_the_published_size_is_as_known() -> None:
    """18.24 GB of shards, and 54.1 MB of a vocoder that is always float32."""
    half, full = of_8b(torch.float16), of_8b(torch.float32)
    assert half.weights == pytest.approx(18.24e9 + 54.1e6, rel=2e-3)
    assert full.weights == pytest.approx(2 * 18.24e9 + 54.1e6, rel=2e-3)
    llm_position, speech_frame = 32 * 2 * 8 * 128 * 2, 2 * 2 * 32 * 128 * 2
    assert half.caches == (66 + 300 + 256) * llm_position + 256 * 25 * speech_frame
    assert half.needed == round(1.1 * (half.weights + half.caches))
    assert of_8b(torch.float16, new=512).caches > 1.5 * half.caches


def test_a_streaming_encoder_keeps_keys_and_values_of_30_s() -> None:
    """32 layers of 1280 values, twice, for 1500 frames: 246 MB in 16 bit."""
    streams = budget_of(dummy.config("8b"), CPU, torch.float16, text=66, new=256, options="less", streams=True)
    assert streams.caches - of_8b(torch.float16).caches == 2 * 32 * 1280 * 1500 * 2


@pytest.mark.parametrize("context", ["full", "streaming"])
def test_the_budget_counts_the_caches_that_are_reserved(settings: Callable[..., Settings], context: str) -> None:
    block = "500" if context == "streaming" else ""
    pipeline = Direct(settings(encoder_context=context, encoder_block=block, max_new_tokens=3))
    pipeline.load()
    ready = pipeline._ready()
    assert ready.room.caches == ready.assistant.cache_bytes
    assert pipeline.facts()["cache_mib"] == round(ready.room.caches / 2**20, 1)


def test_what_does_not_fit_is_refused_with_sizes_and_what_would_shrink_it(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_budget, "free_bytes", lambda _: 12_345_678_901)
    with pytest.raises(WeightsError) as raised:
        Direct(settings(size="8b")).load()
    said = str(raised.value)
    assert "does not fit on cpu: about 40.8 GB are needed (weights 36.5 GB, caches 0.6 GB" in said
    assert "12.3 GB are free" in said
    for option in ("size (tiny, 1b, 8b)", "--dtype bfloat16", "max-new-tokens", "chunk-units"):
        assert option in said


def test_published_weights_are_refused_before_they_are_read(
    settings: Callable[..., Settings], published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.write_tokenizer()
    published.shards["lm_head.weight"][0] = float("nan")  # would be found in reading
    folder = str(published.write())
    monkeypatch.setattr(memory_budget, "free_bytes", lambda _: 1000)
    with pytest.raises(WeightsError, match=r"does not fit on cpu.*--dtype bfloat16") as raised:
        Direct(settings(weights=folder)).load()
    assert "size (" not in str(raised.value), "size is for dummy weights"


def allocate_far_too_much() -> None:
    torch.empty(1 << 50, dtype=torch.uint8)


def out_of_cuda_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.96 GiB.")


def out_of_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize("fail", [allocate_far_too_much, out_of_cuda_memory, out_of_memory])
def test_an_allocation_that_fails_is_explained(fail: Callable[[], None]) -> None:
    said = r"Out of memory on cpu while loading: about 20\.\d GB are needed.*To reduce this, use less\."
    with pytest.raises(WeightsError, match=said), of_8b(torch.float16).explained("loading"):
        fail()


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), of_8b(torch.float16).explained("loading"):
        raise RuntimeError("shapes differ")


def test_memory_that_runs_out_in_a_turn_is_explained(
    settings: Callable[..., Settings], ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Direct(settings(max_new_tokens=3))
    pipeline.load()
    monkeypatch.setattr(WholeListener, "listen", lambda *_: out_of_cuda_memory())
    with pytest.raises(WeightsError, match=r"Out of memory on cpu while answering: .*chunk-units"):
        ask(pipeline)


def test_the_limit_of_a_container_counts_and_its_cached_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\nfile 2500000\n")
    assert memory_budget._left_in_cgroup(tmp_path) == 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_budget._left_in_cgroup(tmp_path) is None
    assert memory_budget._left_in_cgroup(tmp_path / "none") is None


def test_what_is_free_is_known_on_the_cpu_only_from_the_system() -> None:
    free = memory_budget.free_bytes(CPU)
    assert free is not None
    assert free > 0
    assert memory_budget.free_bytes(torch.device("meta")) is None
