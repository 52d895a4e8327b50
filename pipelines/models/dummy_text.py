"""Text for models that have none of their own: canned replies, and a tokenizer learnt from them in the process."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from firstpacket.pipelines.models.chat import SPECIAL_TOKENS, SYSTEM

VOCABULARY = 1024
"""More than can be learnt from so little text: a word of the replies is one token, and so is a mark."""

PROMPT_WORDS = "system\n\nuser\n\nassistant\n\nPlease directly answer the questions in the user's speech."

REPLIES = (
    "Sure, I can help with that. Start by warming the pan, then add the onions and stir them slowly until they turn "
    "soft and golden, which takes about ten minutes.",
    "The library opens at nine in the morning on weekdays and closes at six. On Saturdays it is open until noon, and "
    "on Sundays it stays closed all day.",
    "That is a good question. Plants look green because their leaves take in red and blue light and send most of the "
    "green light back to your eyes.",
    "You could take the early train, which leaves just after seven and arrives before ten. The later one is cheaper, "
    "but you would have to change twice on the way.",
    "A short walk after dinner is a nice way to begin. Try it for a week, keep an easy pace, and add five minutes "
    "whenever it starts to feel comfortable.",
    "It looks like rain this afternoon, so please take an umbrella. Tomorrow should be dry and a little warmer, with "
    "some sunshine around midday and a light wind from the west.",
)
"""Spoken-style replies of 20 to 40 words."""


def learnt_tokenizer() -> Tokenizer:
    """A byte-level BPE with Llama 3's special tokens; the same every time, and able to write any text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PROMPT_WORDS, SYSTEM, *REPLIES], trainer)
    return tokenizer


def canned_reply(seed: int) -> str:
    """The reply that a model with dummy weights gives to everything; every pipeline chooses the same one."""
    return REPLIES[seed % len(REPLIES)]
