"""What a file is, by its first bytes: one of the forms that are read, or something that has a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from firstpacket.bench.corpus.containers import flac, mp3, ogg, wav
from firstpacket.bench.corpus.containers.errors import READABLE, not_read, not_sound
from firstpacket.bench.corpus.containers.layout import Form, Layout
from firstpacket.bench.corpus.containers.tags import skip_tags, without_tail
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.sanitize import clean

READ_SUFFIXES = (".wav", ".flac", ".mp3", ".opus", ".ogg", ".oga", ".wave")
OTHER_SUFFIXES = {
    ".m4a", ".mp4", ".m4b", ".aac", ".3gp", ".3g2", ".mov",
    ".webm", ".mka", ".mkv", ".avi",
    ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf",
    ".amr", ".awb", ".wma", ".asf", ".ra", ".rm", ".spx", ".ogv", ".mp2",
    ".ape", ".wv", ".tta", ".ac3", ".dts", ".gsm", ".silk", ".pcm", ".raw", ".sph", ".voc",
}  # fmt: skip
"""Names of sound and video files that a folder's recordings are not taken from."""

_OTHER = (
    (0, b"FORM", "AIFF"),
    (4, b"ftypM4A", "M4A (AAC or ALAC in MP4)"),
    (4, b"ftyp3g", "3GP (AMR or AAC)"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (ASF)"),
    (0, b"caff", "CAF"),
    (0, b".snd", "AU"),
    (0, b"riff", "Wave64"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "TTA"),
    (0, b".RMF", "RealAudio"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"Creative Voice File", "VOC"),
    (0, b"#!SILK", "SILK"),
    (1, b"#!SILK", "SILK"),
    (0, b"\x0b\x77", "AC-3"),
    (8, b"AVI ", "AVI video"),
)
_LFS = b"version https://git-lfs.github.com/spec/"
_HTML = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)
_JSON = re.compile(rb"\s*[\[{]\s*[\"\]}\[{]")
_PACKED = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_FIRST = 1 << 12
_QUOTED = 60
_MOST_BYTES = 1 << 28
_MOST_PARTS = 1000
_READERS = {"WAV": wav.read_layout, "FLAC": flac.read_layout, "Ogg": ogg.read_layout, "MP3": mp3.read_layout}


def read_layout(path: Path, file: BinaryIO, size: int) -> tuple[Form, Layout]:
    """The form of a sound file, and where its sound lies. Raises `CorpusError` for everything that is not read."""
    start = skip_tags(file, 0, size)
    form = _form(path, file, start)
    if size > _MOST_BYTES and form in ("Ogg", "MP3"):
        raise CorpusError(f"{path}: {size >> 20} MiB is too large for one recording. Cut it into utterances.")
    layout = _READERS[form](path, file, start, without_tail(file, start, size))
    if len(layout.parts) > _MOST_PARTS:
        raise CorpusError(f"{path}: consists of {len(layout.parts)} recordings. Split it, or convert it to FLAC.")
    return form, layout


def _form(path: Path, file: BinaryIO, start: int) -> Form:
    file.seek(start)
    head = file.read(_FIRST)
    if head[:4] in wav.MAGICS and head[8:12] in (b"WAVE", b""):
        return "WAV"
    if head.startswith(b"fLaC"):
        return "FLAC"
    if head.startswith(b"OggS"):
        return "Ogg"
    if form := next((name for at, magic, name in _OTHER if head.startswith(magic, at)), ""):
        raise not_read(path, form)
    if len(head) > 1 and head[0] == 0xFF and head[1] >> 5 == 0b111 and head[1] >> 1 & 3 != mp3.LAYER_3:
        raise not_read(path, "AAC (ADTS)" if head[1] & 0x06 == 0 else "MPEG audio of layer I or II")
    file.seek(start)
    if mp3.find_frame(file.read(mp3.SEARCHED)) is not None:
        return "MP3"
    raise _no_sound(path, head)


def _no_sound(path: Path, head: bytes) -> CorpusError:
    """What a file is that holds no sound, and what to do about it."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head:
        return not_sound(path, "it is empty", "Download or export it again, or remove it.")
    if not any(head):
        return not_sound(path, "it begins with zeros only, as if it was never written", "Download or record it again.")
    if head.startswith(_LFS):
        return not_sound(path, "it is a Git LFS pointer, which stands for the recording", "Fetch it: git lfs pull")
    if kind := next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), ""):
        return not_sound(path, f"it is {kind}", "Unpack it first.")
    if _HTML.match(head):
        return not_sound(
            path, f"it is a web page, {_quoted(head)}", "Download the recording itself: the address may need a login."
        )
    if _JSON.match(head):
        return not_sound(path, f"it is JSON, {_quoted(head)}", "This may be a server's error; download it again.")
    if _is_text(head):
        return not_sound(path, f"it is text, {_quoted(head)}")
    return not_sound(
        path, "its first bytes are those of no known form", f"Use {READABLE}; add a header to raw samples."
    )


def _quoted(head: bytes) -> str:
    words = " ".join(clean(head[: 4 * _QUOTED].decode("utf-8", "replace")).split())
    return f"that begins {words[:_QUOTED]!r}"


def _is_text(head: bytes) -> bool:
    try:
        text = head[: _FIRST - 4].decode("utf-8", "strict" if len(head) < _FIRST else "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t\ufeff" for letter in text)
