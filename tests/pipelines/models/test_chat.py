"""Llama 3.1's conversation format, with a tokenizer made here: special tokens and known words at their published ids.

The published tokenizer.json has not been seen. Its pattern for splitting text is that of cl100k, and the ids below are
those known of it; every other word comes out in pieces here that it would not make.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, prompt_ids
from firstpacket.pipelines.models.chat import SYSTEM, TextTokenizer

BEGIN, HEADER, HEADER_END, END_OF_TURN = 128_000, 128_006, 128_007, 128_009
SPECIAL = {
    "<|begin_of_text|>": BEGIN,
    "<|end_of_text|>": 128_001,
    "<|start_header_id|>": HEADER,
    "<|end_header_id|>": HEADER_END,
    "<|eom_id|>": 128_008,
    "<|eot_id|>": END_OF_TURN,
}
NEWLINE, TWO_NEWLINES = 198, 271
ROLES = {"system": 9125, "user": 882, "assistant": 78_191}
VOCAB = 128_256
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


def alphabet() -> list[str]:
    """The characters that stand for bytes, in the order of their ids: printable bytes first."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [*map(chr, printable), *(chr(256 + place) for place in range(len(others)))]


def llama_tokenizer() -> Tokenizer:
    """A byte-level BPE that knows the three roles and the blank line; unused ids are filled up."""
    vocabulary = {character: number for number, character in enumerate(alphabet())}
    newline = alphabet()[NEWLINE]
    vocabulary[newline * 2] = TWO_NEWLINES
    merges = [(newline, newline)]
    for word, number in ROLES.items():
        for end in range(2, len(word) + 1):
            piece = word[:end]
            if piece not in vocabulary:
                vocabulary[piece] = number if piece == word else 100_000 + len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    tokenizer = Tokenizer(models.BPE(vocab={**vocabulary, **SPECIAL}, merges=merges))
    split = pre_tokenizers.Split(Regex(CL100K), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    bos = ("<|begin_of_text|>", BEGIN)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos[0]} $A", special_tokens=[bos])
    return tokenizer


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    """The tokenizer, written and read as a checkpoint's."""
    folder = tmp_path_factory.mktemp("tokenizer")
    llama_tokenizer().save(str(folder / "tokenizer.json"))
    return TextTokenizer.from_folder(folder)


def test_special_tokens_and_roles_have_their_published_ids(llama: TextTokenizer) -> None:
    assert alphabet()[NEWLINE] == "Ċ"
    assert llama.encode("".join(SPECIAL)) == list(SPECIAL.values())
    assert [llama.encode(role) for role in ROLES] == [[number] for number in ROLES.values()]
    assert llama.encode("\n\n") == [TWO_NEWLINES]
    assert llama.decode([BEGIN, *ROLES.values(), END_OF_TURN]) == "systemuserassistant"


def test_the_prompt_is_the_published_one(llama: TextTokenizer) -> None:
    """Two BOS, one blank line after each header, one line break after the speech; nothing added by the tokenizer."""

    def header(role: str) -> list[int]:
        return [HEADER, ROLES[role], HEADER_END, TWO_NEWLINES]

    sentence = llama.encode("Please directly answer the questions in the user's speech.")
    assert prompt_ids(llama.encode, BEGIN) == [
        *(BEGIN, BEGIN),
        *(*header("system"), *llama.encode(SYSTEM), END_OF_TURN),
        *(*header("user"), SPEECH_TOKEN, NEWLINE, *sentence, END_OF_TURN),
        *header("assistant"),
    ]


def test_a_tokenizer_that_fits_its_model_passes(llama: TextTokenizer) -> None:
    llama.check(BEGIN, VOCAB, "folder")


@pytest.mark.parametrize(
    ("bos", "vocab", "said"),
    [(1, VOCAB, r"encodes <\|begin_of_text\|> as \[128000\], but config\.json says 1"), (BEGIN, 128_005, "128005")],
)
def test_a_tokenizer_of_another_model_is_refused(llama: TextTokenizer, bos: int, vocab: int, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        llama.check(bos, vocab, "folder")


def test_a_tokenizer_that_spells_special_tokens_out_is_refused() -> None:
    plain = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet())}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with pytest.raises(WeightsError, match="Copy the tokenizer"):
        TextTokenizer(plain).check(0, 256, "folder")
    plain.add_special_tokens(["<|begin_of_text|>"])
    with pytest.raises(WeightsError, match="not Llama 3's format"):
        TextTokenizer(plain).check(256, 300, "folder")


def test_an_invalid_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"tokenizer\.json is not a readable tokenizer"):
        TextTokenizer.from_folder(tmp_path)
