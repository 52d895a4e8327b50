"""A checkpoint in the published layout, small enough to write for every test, and a turn on the real clock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstpacket.bench.pipeline import Packet, Samples, Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.models import dummy_text

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The recorded answers of the published code, which live outside the repository."""
    folder = Path(__file__).parents[4] / "shared" / "golden" / "llama-omni-tiny"
    if not folder.is_dir():
        pytest.skip("../shared/golden/llama-omni-tiny is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the same format, made here: the answers of a plain implementation on its own checkpoint."""
    pytest.importorskip("transformers", exc_type=ImportError)
    from support.omni_checkpoint import make

    folder = tmp_path_factory.mktemp("recorded")
    make(folder)
    return folder


@pytest.fixture
def copied(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the recorded folder that may be changed."""
    return Path(shutil.copytree(recorded, tmp_path / "recorded"))


@dataclass
class PublishedFolder:
    """What a checkpoint's folder is made of; change it, then `write` it."""

    root: Path
    config: dict[str, Any]
    shards: Tensors
    whisper: dict[str, Any]
    vocoder: Tensors
    vocoder_config: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint"

    def write(self) -> Path:
        """Write all files; returns the checkpoint's folder."""
        from safetensors.torch import save_file

        for folder in (self.checkpoint, self.root / "models" / "speech_encoder", self.root / "vocoder"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.checkpoint / "config.json").write_text(json.dumps(self.config))
        save_file(self.shards, self.checkpoint / "model.safetensors")
        torch.save(self.whisper, self.root / self.config["speech_encoder"])
        (self.root / "vocoder" / "config.json").write_text(json.dumps(self.vocoder_config))
        torch.save({"generator": self.vocoder}, self.root / "vocoder" / "g_00500000")
        return self.checkpoint

    def write_tokenizer(self) -> None:
        """Add the tokenizer of the dummy models, whose ids fit into 1024."""
        self.checkpoint.mkdir(parents=True, exist_ok=True)
        dummy_text.learnt_tokenizer().save(str(self.checkpoint / "tokenizer.json"))


@pytest.fixture
def published(make_published: Callable[[Path], PublishedFolder], tmp_path: Path) -> PublishedFolder:
    """A complete folder, not yet written: an encoder of 100 positions, an LLM of one layer, 20 units."""
    return make_published(tmp_path)


@pytest.fixture(scope="session")
def make_published() -> Callable[[Path], PublishedFolder]:
    return _published


def _published(root: Path) -> PublishedFolder:
    random = torch.Generator().manual_seed(3)

    def weights(shapes: dict[str, tuple[int, ...]]) -> Tensors:
        return {name: torch.randn(shape, generator=random) * 0.2 for name, shape in shapes.items()}

    return PublishedFolder(
        root=root,
        config={
            "speech_encoder_type": "whisper",
            "speech_projector_type": "linear",
            "speech_generator_type": "ctc",
            "speech_encoder": "models/speech_encoder/small.pt",
            "speech_encoder_ds_rate": 5,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 24,
            "vocab_size": 1024,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "bos_token_id": 0,
            "eos_token_id": [1, 5],
            "ctc_decoder_config": "(1,12,2,20)",
            "ctc_upsample_factor": 25,
            "unit_vocab_size": 20,
        },
        shards=weights(_llm_shapes() | _decoder_shapes() | {"model.speech_encoder.conv1.bias": (8,)}),
        whisper={
            "dims": {"n_mels": 80, "n_audio_ctx": 100, "n_audio_state": 8, "n_audio_head": 2, "n_audio_layer": 1},
            "model_state_dict": weights(_encoder_shapes() | {"decoder.ln.weight": (8,)}),
        },
        vocoder=weights(_vocoder_shapes()),
        vocoder_config={
            "resblock": "1",
            "num_embeddings": 20,
            "embedding_dim": 4,
            "upsample_initial_channel": 8,
            "upsample_rates": [20, 16],
            "upsample_kernel_sizes": [40, 32],
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 3, 5]],
            "dur_predictor_params": {"var_pred_hidden_dim": 4, "var_pred_kernel_size": 3},
        },
    )


def _layer_shapes(prefix: str, width: int, kv: int, inner: int) -> dict[str, tuple[int, ...]]:
    attention = {"q_proj": (width, width), "k_proj": (kv, width), "v_proj": (kv, width), "o_proj": (width, width)}
    mlp = {"gate_proj": (inner, width), "up_proj": (inner, width), "down_proj": (width, inner)}
    norms = {"input_layernorm": (width,), "post_attention_layernorm": (width,)}
    return {
        f"{prefix}.{name}.weight": shape
        for name, shape in (
            *((f"self_attn.{name}", shape) for name, shape in attention.items()),
            *((f"mlp.{name}", shape) for name, shape in mlp.items()),
            *norms.items(),
        )
    }


def _llm_shapes() -> dict[str, tuple[int, ...]]:
    return {
        "model.embed_tokens.weight": (1024, 16),
        **_layer_shapes("model.layers.0", 16, 8, 24),
        "model.norm.weight": (16,),
        "lm_head.weight": (1024, 16),
        "model.speech_projector.linear1.weight": (2048, 40),
        "model.speech_projector.linear1.bias": (2048,),
        "model.speech_projector.linear2.weight": (16, 2048),
        "model.speech_projector.linear2.bias": (16,),
    }


def _decoder_shapes() -> dict[str, tuple[int, ...]]:
    return {
        "speech_generator.input_proj.weight": (12, 16),
        "speech_generator.input_proj.bias": (12,),
        **_layer_shapes("speech_generator.layers.0", 12, 12, 20),
        "speech_generator.output_proj.weight": (21, 12),
        "speech_generator.output_proj.bias": (21,),
    }


def _encoder_shapes() -> dict[str, tuple[int, ...]]:
    linear = {"attn.query": (8, 8), "attn.value": (8, 8), "attn.out": (8, 8), "mlp.0": (32, 8), "mlp.2": (8, 32)}
    block = {f"{name}.weight": shape for name, shape in linear.items()}
    block |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    block |= {f"{name}.{half}": (8,) for name in ("attn_ln", "mlp_ln") for half in ("weight", "bias")}
    return {
        "encoder.conv1.weight": (8, 80, 3),
        "encoder.conv1.bias": (8,),
        "encoder.conv2.weight": (8, 8, 3),
        "encoder.conv2.bias": (8,),
        "encoder.positional_embedding": (100, 8),
        **{f"encoder.blocks.0.{name}": shape for name, shape in block.items()},
        "encoder.blocks.0.attn.key.weight": (8, 8),
        "encoder.ln_post.weight": (8,),
        "encoder.ln_post.bias": (8,),
    }


def _vocoder_shapes() -> dict[str, tuple[int, ...]]:
    def normed(name: str, shape: tuple[int, ...], bias: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight_v": shape, f"{name}.weight_g": (shape[0], 1, 1), f"{name}.bias": (bias,)}

    shapes = {"dict.weight": (20, 4)} | normed("conv_pre", (8, 4, 7), 8) | normed("conv_post", (1, 2, 7), 1)
    shapes |= normed("ups.0", (8, 4, 40), 4) | normed("ups.1", (4, 2, 32), 2)
    for index, channels in enumerate((4, 2)):
        for conv in range(3):
            shapes |= normed(f"resblocks.{index}.convs1.{conv}", (channels, channels, 3), channels)
            shapes |= normed(f"resblocks.{index}.convs2.{conv}", (channels, channels, 3), channels)
    for conv in ("conv1", "conv2"):
        shapes |= {f"dur_predictor.{conv}.0.weight": (4, 4, 3), f"dur_predictor.{conv}.0.bias": (4,)}
    for norm in ("ln1", "ln2"):
        shapes |= {f"dur_predictor.{norm}.weight": (4,), f"dur_predictor.{norm}.bias": (4,)}
    return shapes | {"dur_predictor.proj.weight": (1, 4), "dur_predictor.proj.bias": (1,)}


class Clip:
    """Speech that has been heard already."""

    sample_rate = 16_000
    language = "en"

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def frames(self) -> Iterator[Samples]:
        yield self._samples

    microphone = frames

    def whole(self) -> Samples:
        return self._samples


@pytest.fixture(scope="session")
def clip() -> Callable[[float], Clip]:
    """Noise of a given length in seconds."""

    def make(seconds: float) -> Clip:
        return Clip(np.random.default_rng(5).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32))

    return make


@dataclass(frozen=True)
class Answer:
    """What came of one turn."""

    packets: tuple[Packet, ...]
    trace: TurnTrace

    @property
    def samples(self) -> Samples:
        return np.concatenate([packet.samples for packet in self.packets])

    @property
    def reply(self) -> str:
        return next(text.text for text in self.trace.texts if text.kind == "reply")

    def spans(self, stage: str) -> int:
        """How often a stage worked."""
        return sum(span.stage == stage for span in self.trace.spans)

    def spans_before_first_packet(self, stage: str) -> int:
        """How often a stage worked before the first packet arrived."""
        first = self.trace.packets[0].at_ns
        return sum(span.stage == stage and span.end_ns <= first for span in self.trace.spans)


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Settings with dummy weights and the declared defaults, some options changed (`chunk_units` for `chunk-units`)."""

    def make(**changed: Any) -> Settings:
        options = {option.name: option.default for option in Direct.declaration.options}
        options |= {"weights": "dummy"} | {name.replace("_", "-"): value for name, value in changed.items()}
        return Settings(options=options)

    return make


@pytest.fixture(scope="session")
def ask(clip: Callable[[float], Clip]) -> Callable[..., Answer]:
    """Put so many seconds of noise to a pipeline."""

    def put(pipeline: Direct, seconds: float = 2.0) -> Answer:
        trace = Trace(MonotonicClock())
        packets = []
        for packet in pipeline.respond(clip(seconds), trace):
            trace.packet(len(packet.samples), packet.sample_rate, packet.after)
            packets.append(packet)
        return Answer(tuple(packets), trace.finish())

    return put


@pytest.fixture(autouse=True)
def no_whisper_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What openai-whisper has fetched on this machine is not found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tests share a small machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
