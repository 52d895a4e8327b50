"""The data sets that can be imported: how each is recognised, and what is known of it but not written in its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from firstpacket.bench.corpus.licences import NONE_STATED
from firstpacket.bench.corpus.readers import audiofolder, librispeech, llama_omni, nemo, parquet
from firstpacket.bench.corpus.readers.row import Reader, Row
from firstpacket.bench.errors import CorpusError, UnknownName, UsageError
from firstpacket.bench.vocabulary import AnswerRule
from firstpacket.pipelines.tools.corpora.importing.source import (
    Part,
    audiofolder_parts,
    librispeech_parts,
    listed_parts,
    parquet_parts,
)

AUTO = "auto"
ANSWERS = ("reference", "answer", "answers", "official_answer")
"""Names under which data sets keep right answers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A data set, or a form of data sets."""

    name: str
    reader: Reader
    parts: Callable[[Path], tuple[Part, ...]]
    """The files below a folder, with the subset and the split of each."""
    licence: str = NONE_STATED
    """As its card says; for a form of data sets, the card in the folder says."""
    repository: str = ""
    """On the Hugging Face Hub."""
    text: str = ""
    """The column with what is said; empty: the one that can be it."""
    answers: str = ""
    """The column with right answers; empty: the first of `ANSWERS` that is there."""
    rules: Mapping[str, AnswerRule] = field(default_factory=dict)
    """By subset; `""` for all others."""
    spoken_by_people: frozenset[str] = frozenset()
    """Subsets recorded by people."""
    speakers: Literal["", "human", "tts"] = ""
    """Who speaks in all others."""
    categories: frozenset[str] = frozenset()
    """Subsets whose splits are categories."""
    categories_in_ids: frozenset[str] = frozenset()
    """Subsets whose ids are a category and a number."""

    def rule(self, subset: str) -> AnswerRule:
        """When a reply is right."""
        return self.rules.get(subset, self.rules.get("", "none"))

    def category(self, subset: str, split: str, row: Row) -> str:
        """What a recording is about: as its row says, or its split or id."""
        if given := row.columns.get("category"):
            return str(given)
        if subset in self.categories:
            return split
        return re.sub(r"[_-]?\d+$", "", row.id) if subset in self.categories_in_ids else ""

    def speaker_kind(self, subset: str) -> Literal["", "human", "tts"]:
        """Who speaks, as far as it is known."""
        return "human" if subset in self.spoken_by_people else self.speakers

    def download(self, path: Path, subset: str) -> str:
        """The command that downloads it to `path`; empty if it is no single data set."""
        if not self.repository:
            return ""
        some = f' --include "{subset or "SUBSET"}/*"' if self.categories else ""
        return f"hf download {self.repository} --repo-type dataset{some} --local-dir {path}"


_VOICEBENCH_SUBSETS = frozenset(
    {"alpacaeval", "alpacaeval_full", "alpacaeval_speaker", "advbench", "commoneval", "wildvoice", "sd-qa", "mtbench"}
    | {"ifeval", "openbookqa", "mmsu", "bbh"}
)


def _voicebench_parts(path: Path) -> tuple[Part, ...]:
    """As of any Parquet files; `path` may also be a subset's folder, or a file in it."""
    folder = (path if path.is_dir() else path.parent).absolute()
    own = next((each.name for each in (folder, folder.parent) if each.name in _VOICEBENCH_SUBSETS), "")
    return tuple(replace(part, subset=part.subset or own) for part in parquet_parts(path))


VOICEBENCH = Kind(
    "voicebench",
    parquet.READER,
    _voicebench_parts,
    licence="Apache-2.0 (the card's; sources of the subsets differ)",
    repository="hlt-lab/voicebench",
    text="prompt",
    answers="reference",
    rules={"sd-qa": "contains", "openbookqa": "choice", "mmsu": "choice", "bbh": "final"},
    spoken_by_people=frozenset({"commoneval", "wildvoice", "sd-qa", "bbh"}),
    speakers="tts",
    categories=frozenset({"sd-qa", "mmsu", "alpacaeval_speaker"}),
    categories_in_ids=frozenset({"bbh"}),
)
BIG_BENCH_AUDIO = Kind(
    "big-bench-audio",
    audiofolder.READER,
    audiofolder_parts,
    licence="MIT",
    repository="ArtificialAnalysis/big_bench_audio",
    answers="official_answer",
    rules={"": "final"},
    speakers="tts",
)
AUDIOFOLDER = Kind("audiofolder", audiofolder.READER, audiofolder_parts)
PARQUET = Kind("parquet", parquet.READER, parquet_parts)
LIBRISPEECH = Kind("librispeech", librispeech.READER, librispeech_parts, licence="CC BY 4.0", speakers="human")
LLAMA_OMNI = Kind("llama-omni", llama_omni.READER, partial(listed_parts, llama_omni.READER), speakers="tts")
NEMO = Kind("nemo", nemo.READER, partial(listed_parts, nemo.READER))
KINDS = {kind.name: kind for kind in (VOICEBENCH, BIG_BENCH_AUDIO, AUDIOFOLDER, PARQUET, LIBRISPEECH, LLAMA_OMNI, NEMO)}

_NOT_QUESTIONS = {"spoken-squad": "spoken_*-v1.1*.json", "air-bench": "Chat_meta.json"}
"""Well-known data sets without spoken questions, with files by which they are recognised."""


def require_known(name: str, path: Path) -> None:
    """Raise `CorpusError` for a data set without spoken questions, by its name or its files, else `UnknownName`."""
    for known, file in _NOT_QUESTIONS.items():
        if known in name.lower().replace("_", "-") or (path.is_dir() and any(path.glob(file))):
            raise CorpusError(
                f"{path}: has no spoken questions. In Spoken-SQuAD the document is spoken, in AIR-Bench chat the sound"
                " is; the question is text in both. Choose another data set."
            )
    if name not in (*KINDS, AUTO):
        raise UnknownName("kind of data set", name, (*KINDS, AUTO))


def kind_of(name: str, path: Path) -> Kind:
    """The kind of this name; with `auto`, the one that the files at `path` have: `UsageError` if not exactly one."""
    if name != AUTO:
        return KINDS[name]
    fitting = [KINDS[each] for each in _recognised(path)]
    if len(fitting) == 1:
        return fitting[0]
    problem = f"{path} could be {' or '.join(kind.name for kind in fitting)}" if fitting else f"{path} is nothing known"
    raise UsageError(f"{problem}. Name the kind in place of 'auto': {', '.join(KINDS)}.")


def _recognised(path: Path) -> list[str]:
    fitting = []
    if parts := _voicebench_parts(path):
        subsets = {part.subset for part in parts}
        fitting.append("voicebench" if subsets & _VOICEBENCH_SUBSETS else "parquet")
    if parts := audiofolder_parts(path):
        first = next(audiofolder.READER.rows(parts[0].files[0]), None)
        columns = first.columns if first else {}
        fitting.append("big-bench-audio" if {"category", "official_answer"} <= columns.keys() else "audiofolder")
    return fitting + [kind.name for kind in (LIBRISPEECH, LLAMA_OMNI, NEMO) if kind.parts(path)]
