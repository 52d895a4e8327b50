"""Whisper's vocabulary: text, then marks for languages, tasks and times.

The published one is built from the file that comes with openai-whisper; where that is not installed, a small one learnt
in the process takes its place, with every mark at its published id.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from base64 import b64decode
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from firstpacket.pipelines.models.dummy_text import learnt_tokenizer

TEXT_TOKENS = 50257
"""Ids below this one are text."""

_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
LANGUAGES = tuple(_CODES.split())
"""In the order of their ids; the last one came with large-v3."""

END, START = "<|endoftext|>", "<|startoftranscript|>"
TRANSLATE, TRANSCRIBE = "<|translate|>", "<|transcribe|>"
NO_SPEECH, NO_TIMESTAMPS = "<|nospeech|>", "<|notimestamps|>"
NEVER_SAID = (START, TRANSLATE, TRANSCRIBE, "<|startoflm|>", "<|startofprev|>", NO_SPEECH)
"""Marks that no engine lets a model write."""

_TIMESTAMPS = 1501


def marks(vocab: int) -> list[str]:
    """The marks of a multilingual Whisper with a vocabulary of `vocab`, in the order of their ids."""
    languages = vocab - TEXT_TOKENS - _TIMESTAMPS - 8
    return [
        END,
        START,
        *(f"<|{code}|>" for code in LANGUAGES[:languages]),
        TRANSLATE,
        TRANSCRIBE,
        "<|startoflm|>",
        "<|startofprev|>",
        NO_SPEECH,
        NO_TIMESTAMPS,
        *(f"<|{0.02 * step:.2f}|>" for step in range(_TIMESTAMPS)),
    ]


def tokenizer(vocab: int, ranks: str | None = None) -> Tokenizer:
    """A tokenizer of `vocab` ids (51865, or 51866 for large-v3), every mark at its published place.

    `ranks` is the content of the published file, by default that of openai-whisper where it is installed.
    """
    published = published_file()
    if ranks is None and published is not None:
        ranks = published.read_text(encoding="ascii")
    words, merges = _published(ranks) if ranks is not None else _learnt()
    made = Tokenizer(models.BPE(vocab=words, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(marks(vocab))
    return made


def place(words: Tokenizer, mark: str) -> int:
    """The id of a mark. Raises `KeyError` for a tokenizer without it."""
    found = words.token_to_id(mark)
    if found is None:
        raise KeyError(mark)
    return int(found)


def published_file() -> Path | None:
    """The file of openai-whisper, without importing that package and with it torch."""
    found = importlib.util.find_spec("whisper")
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places))) / "assets" / "multilingual.tiktoken" if places else None
    return path if path is not None and path.is_file() else None


def _published(ranks_file: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Words and merges of a tiktoken file: each of its lines is a word's bytes in base64, and its rank."""
    lines = (line.split() for line in ranks_file.splitlines() if line)
    ranks = {b64decode(word): int(rank) for word, rank in lines}
    written = _written_bytes()

    def text(word: bytes) -> str:
        return "".join(written[byte] for byte in word)

    merges = [tuple(map(text, _parts(word, ranks))) for word in ranks if len(word) > 1]
    return {text(word): rank for word, rank in ranks.items()}, [(left, right) for left, right in merges]


def _parts(word: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two words from which byte-pair encoding makes this one: all merges of a lower rank, lowest first."""
    parts = [bytes([byte]) for byte in word]
    while len(parts) > 2:
        joined = [ranks.get(left + right, len(ranks)) for left, right in itertools.pairwise(parts)]
        at = joined.index(min(joined))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _written_bytes() -> list[str]:
    """How byte-level encoding writes each byte (GPT-2): printable ones as themselves, the others from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def _learnt() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A small vocabulary; the ids that it leaves over are taken by words that no text contains."""
    model = json.loads(learnt_tokenizer().to_str())["model"]
    words = {word: place for place, word in enumerate(model["vocab"])}
    words.update({f"<|unused{place}|>": place for place in range(len(words), TEXT_TOKENS)})
    return words, [(left, right) for left, right in model["merges"]]
