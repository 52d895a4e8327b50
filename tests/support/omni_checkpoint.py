"""Writes a plain model in the published layout, and records what it answers, as the parity command reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor

from support.plain_omni import RES_DILATIONS, RES_KERNELS, ROPE, UP_KERNELS, UP_RATES, PlainOmni, Reply, Sizes

SPEECH_PLACE = -200
CLEAR = 2e-3
"""Smallest gap between the two best scores that still has one right answer in float32."""

OPENAI_NAMES = {
    "layers.": "blocks.",
    "self_attn_layer_norm": "attn_ln",
    "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
    "layer_norm": "ln_post",
    "embed_positions.weight": "positional_embedding",
}


@dataclass(frozen=True)
class Question:
    """What the model is asked, and how its answer may end."""

    audio: npt.NDArray[np.float32]
    before: tuple[int, ...] = (1, 1, 7, 30, 12)
    after: tuple[int, ...] = (9, 41, 3)
    longest: int = 40
    eos: tuple[int, ...] = ()

    @property
    def input_ids(self) -> list[int]:
        return [*self.before, SPEECH_PLACE, *self.after]


def noise(seconds: float) -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


def make(root: Path, sizes: Sizes | None = None, seconds: float = 1.3) -> PlainOmni:
    """A model in the published layout in `root`, with its answers: one ends ordinarily, another one early.

    The first seed is taken whose answers are clear: no near ties, and enough different tokens to end with.
    """
    for seed in range(100):
        model = PlainOmni(sizes or Sizes(), seed)
        question = Question(noise(seconds))
        reply = Reply()
        list(model.stream(question.audio, question.before, question.after, question.longest, reply=reply))
        fresh = [place for place, token in enumerate(reply.ids) if token not in reply.ids[:place]]
        early, late = (next((place for place in fresh if place >= least), None) for least in (4, 12))
        if early is None or late is None or early == late or not _is_clear(reply):
            continue
        write(root, model, eos=(reply.ids[late],))
        model.vocoder.fold()
        record(root, model, replace(question, eos=(reply.ids[late],)), early_end=reply.ids[early])
        return model
    raise AssertionError("no seed gives clear answers")


def _is_clear(reply: Reply) -> bool:
    best = [scores.topk(2, dim=-1).values for scores in (torch.stack(reply.scores), reply.ctc)]
    return min(float((two[:, 0] - two[:, 1]).min()) for two in best) > CLEAR


def write(root: Path, model: PlainOmni, eos: Sequence[int]) -> None:
    """`checkpoint/`, `models/speech_encoder/whisper.pt` and `vocoder/`; the end of sequence is in one file only."""
    for folder in ("checkpoint", "models/speech_encoder", "vocoder"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    save_file(shards(model), root / "checkpoint/model.safetensors")
    (root / "checkpoint/config.json").write_text(json.dumps(config(model.sizes), indent=1))
    (root / "checkpoint/generation_config.json").write_text(json.dumps({"eos_token_id": list(eos)}))
    encoder = {f"encoder.{name}": tensor for name, tensor in encoder_tensors(model).items()}
    torch.save({"dims": dims(model.sizes), "model_state_dict": encoder}, root / "models/speech_encoder/whisper.pt")
    torch.save({"generator": vocoder_tensors(model)}, root / "vocoder/g_00500000")
    (root / "vocoder/config.json").write_text(json.dumps(vocoder_config(model.sizes)))


def shards(model: PlainOmni) -> dict[str, Tensor]:
    """The tensors of the checkpoint, without a copy of the encoder."""
    parts = {
        "": model.llm,
        "model.speech_projector.linear1.": model.adaptor[0],
        "model.speech_projector.linear2.": model.adaptor[2],
        "speech_generator.input_proj.": model.input_proj,
        "speech_generator.layers.": model.decoder.layers,
        "speech_generator.output_proj.": model.output_proj,
    }
    return {prefix + name: tensor for prefix, part in parts.items() for name, tensor in part.state_dict().items()}


def encoder_tensors(model: PlainOmni) -> dict[str, Tensor]:
    """The encoder's tensors by openai's names."""
    renamed = {}
    for name, tensor in model.encoder.state_dict().items():
        for theirs, openais in OPENAI_NAMES.items():
            name = name.replace(theirs, openais)
        renamed[name] = tensor
    return renamed


def vocoder_tensors(model: PlainOmni) -> dict[str, Tensor]:
    """The vocoder's tensors, weight norm named as before torch 2."""
    halves = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for name, tensor in model.vocoder.state_dict().items():
        for new, old in halves.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    return renamed


def dims(sizes: Sizes) -> dict[str, int]:
    layers, width, heads = sizes.encoder
    names = ("n_mels", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer")
    return dict(zip(names, (sizes.mels, sizes.positions, width, heads, layers), strict=True))


def config(sizes: Sizes) -> dict[str, Any]:
    """config.json, field by field as published (specification, 2.2); no ends of sequence."""
    layers, hidden, heads, kv_heads, inner = sizes.llm
    return {
        "architectures": ["OmniSpeech2SLlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "ctc_decoder_config": str(sizes.decoder).replace(" ", ""),
        "ctc_upsample_factor": sizes.frames_per_token,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "max_position_embeddings": 131_072,
        "mlp_bias": False,
        "model_type": "omni_speech2s_llama",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-5,
        "rope_scaling": ROPE,
        "rope_theta": 500_000.0,
        "speech_encoder": "models/speech_encoder/whisper.pt",
        "speech_encoder_ds_rate": sizes.joined,
        "speech_encoder_hidden_size": sizes.encoder[1],
        "speech_encoder_type": "whisper",
        "speech_generator_type": "ctc",
        "speech_normalize": False,
        "speech_projector_type": "linear",
        "tie_word_embeddings": False,
        "tokenizer_model_max_length": 2048,
        "unit_vocab_size": sizes.units,
        "vocab_size": sizes.vocab,
    }


def vocoder_config(sizes: Sizes) -> dict[str, Any]:
    size = sizes.embedding
    return {
        "resblock": "1",
        "upsample_rates": UP_RATES,
        "upsample_kernel_sizes": UP_KERNELS,
        "upsample_initial_channel": sizes.channels,
        "resblock_kernel_sizes": RES_KERNELS,
        "resblock_dilation_sizes": [RES_DILATIONS] * len(RES_KERNELS),
        "num_embeddings": sizes.units,
        "embedding_dim": size,
        "model_in_dim": size,
        "code_hop_size": 320,
        "f0": False,
        "sampling_rate": 16_000,
        "dur_predictor_params": {"encoder_embed_dim": size, "var_pred_hidden_dim": size, "var_pred_kernel_size": 3},
    }


@torch.inference_mode()
def record(root: Path, model: PlainOmni, question: Question, early_end: int) -> None:
    """golden.safetensors and golden.json: what the model answers, whole, streamed, and with an early end."""
    asked = (question.audio, question.before, question.after, question.longest)
    reply, early = Reply(), Reply()
    chunks = list(model.stream(*asked, eos=question.eos, reply=reply))
    list(model.stream(*asked, eos=(early_end,), reply=early))
    mel = model.mel(question.audio)
    frames = model.encoder(mel).last_hidden_state
    speech = model.speech(frames)
    units = torch.tensor(reply.units)
    tensors = {
        "audio": torch.from_numpy(question.audio),
        "mel": mel[0].T,
        "input_ids": torch.tensor([question.input_ids]),
        "encoder_out": frames,
        "speech_embeds": speech,
        "inputs_embeds": model.prompt(question.before, speech, question.after)[None],
        "gen_ids": torch.tensor([reply.ids]),
        "dec_hidden": torch.stack(reply.states),
        "ctc_logits": reply.ctc[None],
        "ctc_pred": reply.ctc.argmax(dim=-1)[None],
        "units": units,
        "units_per_step": torch.tensor(reply.units_after_token),
        "log_dur": model.vocoder.log_durations(units)[None],
        "dur": model.vocoder.durations(units)[None],
        "wav": model.vocoder(units),
        "stream_chunks": torch.tensor(reply.borders),
        "stream_wav": torch.cat(chunks),
        "eos_ids": torch.tensor([early.ids]),
        "eos_ctc": early.ctc.argmax(dim=-1)[None],
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, root / "golden.safetensors")
    listed = {"gen_ids": [reply.ids], "units": reply.units, "units_per_step": reply.units_after_token}
    listed |= {"chunks": reply.borders, "max_new_tokens": question.longest}
    (root / "golden.json").write_text(json.dumps(listed))
