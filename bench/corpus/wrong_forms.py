"""Files that list recordings in forms that are not read, or are no list at all: what each is, and what to do."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.corpus.readers.audiofolder import FILE_NAME
from firstpacket.bench.corpus.readers.sniff import beginning, csv_header, first_line, first_object
from firstpacket.bench.errors import CorpusError

EXAMPLE = '{"id": "a", "audio": "a.flac", "text": "What time is it?", "speech_end_ms": 1140}'
LISTS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".scp", ".stm", ".rttm", ".ctm", ".xlsx", ".yaml", ".yml")
"""Names of files that may list recordings."""
_OURS = f"A manifest is JSON Lines, one object per line, such as: {EXAMPLE}"
_FIELDS = {
    "supervisions": "cuts of Lhotse",
    "recordings": "a list of SLURP",
    "source_wav": "a set of URO-Bench",
    "cuts": "cuts of Lhotse",
}
"""A field by which lines of JSON are told apart, and whose they are."""
_UTF16 = 2 * "\ufffd"
"""How its byte order mark looks to who expects UTF-8."""


def refuse_wrong_form(path: Path) -> None:
    """Raises `CorpusError` if a file is a list of recordings in a form that is not read."""
    if (why := wrong_form(path)) is not None:
        raise CorpusError(f"{path}: {why}")


def wrong_form(path: Path) -> str | None:
    """What a file is and what to do; None if it may be a manifest, or sound."""
    if not path.exists():
        return "is a link to a file that does not exist. Fetch it, as with git annex get or dvc pull"
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv") and beginning(path).startswith(_UTF16):
        return "this is UTF-16 text. Save it as UTF-8"
    if suffix == ".csv" and FILE_NAME in csv_header(path):
        return f"it names recordings. Rename it to metadata.csv, or pass it: --corpus {path}"
    if suffix == ".csv" and FILE_NAME in first_line(path):
        return "the cells of this CSV file are not separated by commas. Save it with commas"
    if suffix in (".csv", ".tsv"):
        return (
            f"this is {suffix[1:].upper()}. {_OURS}. A CSV file with a column file_name can be imported:"
            f" bench corpus import audiofolder {path.parent} -o FOLDER"
        )
    if suffix == ".parquet":
        return f"this is Parquet. Import it with: bench corpus import parquet {path} -o FOLDER"
    if suffix == ".scp" or path.name in ("segments", "utt2spk"):
        return f"this is a list of Kaldi's, which is not read, as its lines may be commands to run. {_OURS}"
    if suffix in (".stm", ".rttm", ".ctm", ".xlsx", ".yaml", ".yml", ".xml", ".txt"):
        return f"this is a {suffix} file, neither a recording nor a manifest. {_OURS}"
    return _wrong_json(path) if suffix in (".json", ".jsonl") else None


def _wrong_json(path: Path) -> str | None:
    first = first_object(path)
    if whose := next((whose for field, whose in _FIELDS.items() if field in first), ""):
        return f"these are {whose}, which are not read. {_OURS}"
    if beginning(path).startswith("["):
        return f"this is one JSON array. {_OURS}. To convert it: {_conversion(path)}"
    if not first and _is_object(path):
        return f"this is one JSON object over several lines. {_OURS}"
    if (start := beginning(path)) and start[0].isprintable() and start[0] not in "{[\ufffd":
        return f"this is not JSON. {_OURS}"
    return None


def _conversion(path: Path) -> str:
    new = MANIFEST if path.name != MANIFEST else f"new-{MANIFEST}"  # a shell empties the file that it writes to
    return f"jq -c '.[]' {shlex.quote(path.name)} > {new}"


def _is_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8-sig")), dict)
    except (OSError, ValueError, RecursionError):
        return False
