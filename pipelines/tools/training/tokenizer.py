"""The language model's vocabulary: a byte-level BPE that knows Llama 3's special tokens, learnt from the texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from firstpacket.pipelines.cascade.llm.options import SYSTEM as OF_THE_CASCADE
from firstpacket.pipelines.direct.llama_omni.prompt import INSTRUCTION, SPEECH_TOKEN, prompt_ids
from firstpacket.pipelines.models.chat import BEGIN, CHAT_TEMPLATE, END_OF_TURN, SPECIAL_TOKENS, SYSTEM

VOCABULARY = 1024
PROMPTS = (
    *(f"{role}\n\n" for role in ("system", "user", "assistant")),
    *(OF_THE_CASCADE, SYSTEM, f"\n{INSTRUCTION}"),
)
"""What stands in every prompt. Its words shall be single tokens, as each costs every turn time."""

_PROMPTS_COUNT_AS = 1000


def learnt(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Any:
    """A tokenizer of transformers with at most `vocabulary` tokens: the same for the same texts."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*PROMPTS * _PROMPTS_COUNT_AS, *texts], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END_OF_TURN, chat_template=CHAT_TEMPLATE
    )


def read(folder: Path) -> Any:
    """The tokenizer of a language model's folder. Raises `WeightsError` without running code of that folder."""
    from firstpacket.bench.errors import WeightsError

    try:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the libraries beneath raise bare Exception for a file they cannot parse
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"The tokenizer in {folder} cannot be loaded: {first} Download its files again.") from error


def ids(words: Any, text: str) -> list[int]:
    """Ids of a text, without any that begin or end it."""
    return list(words(text, add_special_tokens=False).input_ids)


class SpeechPrompt:
    """The direct model's prompt, in the ids of one tokenizer; for a language model alone, with text for speech."""

    def __init__(self, words: Any) -> None:
        self._words = words
        whole = prompt_ids(lambda text: ids(words, text), words.bos_token_id)
        place = whole.index(SPEECH_TOKEN)
        self.head, self.tail = whole[:place], whole[place + 1 :]

    def prompt(self, text: str) -> list[int]:
        """Ids of the prompt, the text in the place of the speech."""
        return [*self.head, *ids(self._words, text), *self.tail]
