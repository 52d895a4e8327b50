"""Dummy weights: seeded random values at published sizes, and the canned reply that fixes their work.

The sizes, the replies and their tokens are those of the direct pipeline's dummy, so that both think alike.
"""

from __future__ import annotations

import torch
from transformers import PreTrainedTokenizerFast

from firstpacket.bench.pipeline import Settings, Weights
from firstpacket.pipelines.cascade.llm import factory
from firstpacket.pipelines.cascade.llm.conversation import Conversation
from firstpacket.pipelines.cascade.llm.decoding import Writer
from firstpacket.pipelines.cascade.llm.factory import Loaded
from firstpacket.pipelines.models import dummy_llama, llama_files
from firstpacket.pipelines.models.chat import BEGIN, CHAT_TEMPLATE, END_OF_TURN, SYSTEM
from firstpacket.pipelines.models.device import device_of
from firstpacket.pipelines.models.dummy_text import canned_reply, learnt_tokenizer

POSITIONS = 131_072
"""What the published models of these sizes were made for."""


def load(settings: Settings) -> Loaded:
    """A model of random values made on the device, the same for the same seed, that gives a canned reply.

    Raises `WeightsError` if it does not fit into memory, or `UsageError`.
    """
    size, seed = settings.text("llm-size"), settings.seed
    config, words = dummy_llama.SIZES[size], tokenizer()
    conversation = Conversation(words, SYSTEM, f"dummy {size}")
    length = factory.positions(settings, POSITIONS, conversation)
    device, dtype = device_of(settings.device), getattr(torch, settings.dtype)
    room = llama_files.budget_of(config, length, device, dtype, f"a smaller llm-size, {factory.SMALLER}")
    room.require()
    end = int(words.convert_tokens_to_ids(END_OF_TURN))
    reply = [*words(canned_reply(seed), add_special_tokens=False).input_ids, end]
    with room.explained("loading"):
        llama = dummy_llama.build(config, seed, device, dtype)
        if settings.text("llm-decoder") == "transformers":
            from firstpacket.pipelines.cascade.llm.hf_causal import from_llama

            built = factory.through_transformers(from_llama(llama), length, conversation, settings)
        else:
            built = factory.own(llama, length, conversation, settings)
        choices = dummy_llama.CannedText(factory.sampling(settings), device, reply)
    values = llama_files.parameters(config)
    return Loaded(
        Writer(built.decoder, conversation, choices, frozenset((end,)), settings.whole("llm-max-tokens")),
        Weights("llm", "dummy", f"seed {seed}, size {size}", "Llama", values),
        room,
        {"llm_parameters": values, **built.facts},
    )


def tokenizer() -> PreTrainedTokenizerFast:
    """The dummies' tokenizer, with Llama 3's conversation format."""
    return PreTrainedTokenizerFast(
        tokenizer_object=learnt_tokenizer(), bos_token=BEGIN, eos_token=END_OF_TURN, chat_template=CHAT_TEMPLATE
    )
