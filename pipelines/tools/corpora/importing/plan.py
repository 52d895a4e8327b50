"""What an import will take: everything but the sound is read, so that it can be shown before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from firstpacket.bench.corpus.audio import LIMIT_S
from firstpacket.bench.corpus.licences import NONE_STATED
from firstpacket.bench.errors import CorpusError, UnknownName, UsageError
from firstpacket.pipelines.tools.corpora.importing.candidates import (
    Candidate,
    Choice,
    Columns,
    candidates,
    columns_in_use,
    files_of,
)
from firstpacket.pipelines.tools.corpora.importing.kinds import KINDS, Kind, kind_of, require_known
from firstpacket.pipelines.tools.corpora.importing.record import RECORD, Wanted, read_record
from firstpacket.pipelines.tools.corpora.importing.source import (
    Part,
    repository,
    require_inside,
    revision,
    sha256,
    stated_licence,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    kind: str
    path: Path
    out: Path
    subset: str = ""
    split: str = ""
    language: str = "en"
    take: int | None = None
    seed: int = 0
    choice: Choice = field(default_factory=Choice)
    licence: str = ""
    revision: str = ""
    longest_s: float = 60.0
    again: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An import before anything is written."""

    request: Request
    kind: Kind
    wanted: Wanted
    candidates: tuple[Candidate, ...]
    notices: tuple[str, ...]


def prepare(request: Request) -> Plan:
    """Read everything but the sound. Raises `BenchError`; nothing is written."""
    require_known(request.kind, request.path)
    if not request.path.exists():
        raise UsageError(_not_there(request))
    try:
        return _plan(request)
    except OSError as error:
        raise CorpusError(
            f"{error.filename or request.path}: cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error


def _plan(request: Request) -> Plan:
    path, kind = request.path, kind_of(request.kind, request.path)
    parts = _chosen(kind.parts(path), request, kind)
    rows = ((part, row) for part in parts for file in part.files for row in kind.reader.rows(_checked(path, file)))
    first = next(rows, None)
    if first is None:
        raise CorpusError(f"{path}: contains no rows. Check that the download is complete.")
    columns = columns_in_use(kind, parts[0].subset, request.choice, first[1])
    recordings = tuple(candidates(kind, columns, chain((first,), rows)))
    wanted = _wanted(request, kind, parts, columns, recordings)
    _refuse_existing(request, wanted)
    return Plan(request, kind, wanted, recordings, tuple(_notices(request, kind, parts, columns, wanted)))


def _not_there(request: Request) -> str:
    kind = KINDS.get(request.kind)
    command = kind.download(request.path, request.subset) if kind else ""
    remedy = f"Download the data set with: {command}" if command else "Check the path."
    return f"{request.path}: no such file or folder. {remedy}"


def _chosen(parts: Sequence[Part], request: Request, kind: Kind) -> tuple[Part, ...]:
    """The parts of one subset, and of the split if one is named."""
    if not parts:
        raise CorpusError(f"{request.path}: contains no files of the kind {kind.name}. Check the path.")
    subsets = list(dict.fromkeys(part.subset for part in parts))
    if request.subset and request.subset not in subsets:
        raise UnknownName("subset", request.subset, filter(None, subsets))
    if not request.subset and len(subsets) > 1:
        raise UsageError(f"{request.path} has several subsets. Choose one with --subset: {', '.join(subsets)}.")
    chosen = [part for part in parts if part.subset == (request.subset or subsets[0])]
    splits = [part.split for part in chosen]
    if request.split and request.split not in splits:
        raise UnknownName("split", request.split, filter(None, splits))
    return tuple(part for part in chosen if not request.split or part.split == request.split)


def _checked(path: Path, file: Path) -> Path:
    require_inside(path, file)
    return file


def _wanted(
    request: Request, kind: Kind, parts: Sequence[Part], columns: Columns, recordings: Sequence[Candidate]
) -> Wanted:
    path = request.path
    files = files_of(parts)
    sounds = [one.row.sound for one in recordings if isinstance(one.row.sound, Path)]
    for file in sounds:
        require_inside(path, file)
    sources = {_name(path, file): sha256(file) for file in (*files, *dict.fromkeys(sounds)) if file.is_file()}
    content = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sorted(sources.items())).encode())
    licence, licence_from = _licence(request, kind)
    known = kind.repository or repository(path)
    return Wanted(
        kind=kind.name,
        dataset=known or path.absolute().name,
        subset=parts[0].subset,
        splits=tuple(part.split for part in parts if part.split),
        revision=request.revision or revision(path, files) or f"sha256:{content.hexdigest()}",
        sources=sources,
        language=request.language,
        take=request.take,
        seed=request.seed,
        drawn_over=_drawn_over(recordings) if request.take else "",
        text=columns.text,
        answers=columns.answers,
        answer_rule=columns.rule,
        licence=licence,
        licence_from=licence_from,
        longest_s=request.longest_s,
    )


def _name(path: Path, file: Path) -> str:
    return file.relative_to(path).as_posix() if path.is_dir() else file.name


def _licence(request: Request, kind: Kind) -> tuple[str, str]:
    if request.licence:
        return request.licence, "as --licence says"
    if kind.licence != NONE_STATED:
        return kind.licence, "as known of the data set"
    stated, card = stated_licence(request.path)
    return (stated, f"as its {card.name} states") if card else (NONE_STATED, "as there is no card that states one")


def _drawn_over(recordings: Iterable[Candidate]) -> str:
    known = list(recordings)
    if any(one.speaker for one in known):
        return "speakers"
    return "categories" if any(one.category for one in known) else ""


def _notices(request: Request, kind: Kind, parts: Sequence[Part], columns: Columns, wanted: Wanted) -> Iterator[str]:
    for part in parts:
        if part.missing:
            yield f"the split {part.split} is not complete: {', '.join(part.missing)} are missing."
    if request.longest_s > LIMIT_S:
        yield f"clips of more than {LIMIT_S:g} s can only be run with --trim-to."
    if columns.ambiguous:
        yield (
            f"columns {' and '.join(columns.ambiguous)} could be what is said, so there are no texts. Choose one with"
            " --text."
        )
    if columns.answers and columns.rule == "none":
        yield f"answers (column {columns.answers}) are stored but not judged; --rule says how they could be."
    stated, card = stated_licence(request.path)
    if kind.licence != NONE_STATED and not request.licence and stated and stated.lower() not in wanted.licence.lower():
        yield f"{card} states the licence {stated}, which is not the one known of the data set. Check it."


def _refuse_existing(request: Request, wanted: Wanted) -> None:
    out = request.out
    if not out.exists():
        return
    if not request.again:
        raise UsageError(f"{out} already exists. Choose another folder with -o, or repeat its import with --again.")
    before = read_record(out) if out.is_dir() else None
    if before is None:
        raise UsageError(f"{out} is no imported corpus ({RECORD} is missing), so it is not replaced.")
    if before.wanted != wanted:
        different = [name for name in Wanted.__slots__ if getattr(before.wanted, name) != getattr(wanted, name)]
        raise UsageError(
            f"{out} was imported differently ({', '.join(different)}), so it is not replaced. Choose another folder"
            " with -o."
        )
