"""The published prompt, and where speech goes in it."""

from __future__ import annotations

import pytest
import torch

from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt, prompt_ids
from firstpacket.pipelines.models.chat import SPECIAL_TOKENS, TextTokenizer
from firstpacket.pipelines.models.dummy_text import REPLIES, learnt_tokenizer

CPU = torch.device("cpu")


def test_the_prompt_has_two_begin_tokens_and_one_speech_token() -> None:
    tokenizer = TextTokenizer(learnt_tokenizer())
    ids = prompt_ids(tokenizer.encode, bos=0)
    begin, header = tokenizer.encode("<|begin_of_text|><|start_header_id|>")
    assert ids[:3] == [begin, begin, header]
    assert ids.count(SPEECH_TOKEN) == 1
    place = ids.index(SPEECH_TOKEN)
    assert tokenizer.decode(ids[:place]).endswith("using natural language.user")
    assert tokenizer.decode(ids[place + 1 :]).startswith("Please directly answer the questions in the user's speech.")
    assert ids[-len(tokenizer.encode("\n\n")) :] == tokenizer.encode("\n\n")


def test_speech_is_between_the_two_texts() -> None:
    table = torch.arange(10.0)[:, None].repeat(1, 2)
    speech = torch.full((3, 2), -1.0)
    prompt = Prompt([4, 5, SPEECH_TOKEN, 6], CPU)
    spliced = prompt.splice(lambda ids: table[ids], speech)
    assert spliced[:, 0].tolist() == [4, 5, -1, -1, -1, 6]
    assert prompt.text_tokens == 3


@pytest.mark.parametrize("ids", [[1, 2], [SPEECH_TOKEN, 1, SPEECH_TOKEN]])
def test_a_prompt_without_one_place_for_speech_is_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        Prompt(ids, CPU)


def test_the_dummy_tokenizer_writes_any_text_and_is_the_same_every_time() -> None:
    first, second = TextTokenizer(learnt_tokenizer()), TextTokenizer(learnt_tokenizer())
    for text in (*REPLIES, "Grüße, 你好 — whatever; 42!"):
        assert first.encode(text) == second.encode(text)
        assert first.decode(first.encode(text)) == text
    assert first.encode("".join(SPECIAL_TOKENS)) == list(range(len(SPECIAL_TOKENS)))


def test_replies_are_spoken_sentences_of_ordinary_length() -> None:
    tokenizer = TextTokenizer(learnt_tokenizer())
    for reply in REPLIES:
        words = len(reply.split())
        assert 20 <= words <= 40
        assert words <= len(tokenizer.encode(reply)) <= 2 * words
