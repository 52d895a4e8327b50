"""Containers as people have them: wrong sizes, tags in odd places, joined files, and files that are no sound."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.corpus.containers import mp3
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.pipeline import SAMPLE_RATE

soundfile = pytest.importorskip("soundfile")
CASES = Path(__file__).parents[3] / "shared" / "cases"

NOISE = (np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE) * 2**15).astype("<i2")
FORMATS = {
    "a.wav": {},
    "a.flac": {},
    "a.mp3": {},
    "a.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
}
ID3 = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128)
ID3_WITH_FOOTER = b"ID3\x04\0\x10\0\0\0\x05title3DI\x04\0\x10\0\0\0\x05"
APE_HEADER, APE_FOOTER, APE_WITHOUT_HEADER = (
    b"APETAGEX" + struct.pack("<IIII", 2000, 32 + 9, 1, flags) + bytes(8) for flags in (5 << 29, 1 << 31, 0)
)
APE_ITEM = b"\x05\0\0\0title"
APE = APE_HEADER + APE_ITEM + APE_FOOTER
ID3V1 = b"TAG" + b"a title".ljust(125, b"\0")


def encoded(folder: Path, name: str, samples: np.ndarray = NOISE, rate: int = SAMPLE_RATE, **how: object) -> bytes:
    path = folder / f"made-{name}"
    soundfile.write(str(path), samples, rate, **(FORMATS[name] | how))
    return path.read_bytes()


def read(folder: Path, name: str, data: bytes) -> np.ndarray:
    path = folder / name
    path.write_bytes(data)
    return read_clip(path).samples


def wav(riff: int, sound: int, pcm: bytes = NOISE.tobytes(), before: bytes = b"", magic: bytes = b"RIFF") -> bytes:
    """A 16 kHz mono WAV with these two sizes in its header."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return struct.pack("<4sI4s", magic, riff, b"WAVE") + before + form + struct.pack("<4sI", b"data", sound) + pcm


def chunk(name: bytes, body: bytes, pad: bytes = b"\0") -> bytes:
    return name + struct.pack("<I", len(body)) + body + (pad if len(body) % 2 else b"")


SOUND = NOISE.nbytes
LIST = chunk(b"LIST", b"INFOINAM\x05\0\0\0title")


def is_noise(samples: np.ndarray) -> bool:
    return len(samples) == len(NOISE) and bool(np.array_equal(samples, NOISE / np.float32(2**15)))


@pytest.mark.parametrize(
    ("riff", "sound"),
    [
        (2_000_000_036, 2_000_000_000),
        (1_000_000_036, 1_000_000_000),
        (100_000_036, 100_000_000),
        (10_000_036, 10_000_000),
        (0xFFFF_FFFF, 0xFFFF_FFFF),
        (0xFFFF_FFFF, 0xFFFF_FFFF - 36),
        (0x7FFF_FFFF, 0x7FFF_FFFF - 36),
        (0x7FFF_FFFF, 0x7FFF_FFFF),
        (0x4000_0024, 0x4000_0000),
        (0x00FF_FFFF + 36, 0x00FF_FFFF),
        (123_456_789 + 36, 123_456_789),
        (1_234_567, 1_234_567),
        (0, 0),
        (36, 0),
        (0, SOUND),
        (0xFFFF_FFFF, SOUND),
        (36 + SOUND, 0),
        (36 + SOUND, 200_000),
        (36 + 3200, 3200),
    ],
)
def test_a_wav_with_placeholder_sizes_is_read_to_its_end(tmp_path: Path, riff: int, sound: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav(riff, sound))
    clip = read_clip(tmp_path / "a.wav")
    assert is_noise(clip.samples)
    assert clip.marks == (() if sound == SOUND else ("unstated-length",))


@pytest.mark.parametrize("sizes", [(-1, -1), (0, 0), (80 + SOUND, SOUND)])
@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_rf64_with_and_without_its_sizes(tmp_path: Path, magic: bytes, sizes: tuple[int, int]) -> None:
    before = chunk(b"ds64", struct.pack("<qqqI", *sizes, 0, 0))
    assert is_noise(read(tmp_path, "a.wav", wav(0xFFFF_FFFF, 0xFFFF_FFFF, before=before, magic=magic)))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("behind", [b"", LIST])
def test_a_wav_that_was_cut_off_is_still_refused(tmp_path: Path, share: float, behind: bytes) -> None:
    whole = wav(36 + SOUND + len(behind), SOUND) + behind
    with pytest.raises(CorpusError, match=r"truncated or damaged .*placeholder: ffmpeg -ignore_length 1 -i .*a\.wav"):
        read(tmp_path, "a.wav", whole[: int(SOUND * share)])


@pytest.mark.parametrize(
    "behind", [LIST, chunk(b"JUNK", bytes(7)), chunk(b"odd ", b"x" * 5, b""), bytes(5000), b"stray", ID3V1]
)
def test_what_follows_the_sound_of_a_wav_is_not_heard(tmp_path: Path, behind: bytes) -> None:
    assert is_noise(read(tmp_path, "a.wav", wav(36 + SOUND + len(behind), SOUND) + behind))
    assert is_noise(read(tmp_path, "a.wav", wav(36 + SOUND, SOUND) + behind))


def test_the_sound_of_a_wav_may_have_an_odd_length(tmp_path: Path) -> None:
    mulaw = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 7, 1, 8000, 8000, 1, 8, 0)
    for pad in (b"\0", b""):
        behind = pad + LIST
        data = b"RIFF" + struct.pack("<I", 4 + 26 + 8 + 8001 + len(behind)) + b"WAVE" + mulaw + b"data"
        samples = read(
            tmp_path, "a.wav", data + struct.pack("<I", 8001) + bytes(range(1, 256)) * 31 + bytes(96) + behind
        )
        assert len(samples) == pytest.approx(16_002, abs=2)


@pytest.mark.parametrize(
    "before", [LIST, chunk(b"LIST", b"abc"), chunk(b"LIST", b"abc", b""), chunk(b"JUNK", bytes(4096))]
)
def test_a_wav_may_have_chunks_before_its_sound(tmp_path: Path, before: bytes) -> None:
    assert is_noise(read(tmp_path, "a.wav", wav(36 + SOUND + len(before), SOUND, before=before)))


def test_a_wav_without_sound_is_empty_even_with_chunks_behind(tmp_path: Path) -> None:
    for behind in (b"", LIST):
        with pytest.raises(CorpusError, match="contains no samples"):
            read(tmp_path, "a.wav", wav(36 + len(behind), 0, b"") + behind)


def test_sound_of_unclear_length_is_refused_with_both_readings(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"announces 40000 bytes of sound, but 24000 bytes of something else follow"):
        read(tmp_path, "a.wav", wav(36 + 40_000, 40_000))


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "GSM610"]
)
@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
def test_every_coding_is_read_with_right_and_with_unfilled_sizes(tmp_path: Path, subtype: str, kind: str) -> None:
    if not soundfile.check_format(kind, subtype):
        pytest.skip(f"no {subtype} in {kind}")
    data = encoded(tmp_path, "a.wav", NOISE / 2**15, subtype=subtype, format=kind)
    right = read(tmp_path, "right.wav", data)
    at = data.index(b"data") + 4
    unfilled = read(tmp_path, "a.wav", data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
    assert np.array_equal(unfilled, right)
    assert np.array_equal(right, soundfile.read(str(tmp_path / "right.wav"), dtype="float32")[0])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tags", [ID3, ID3 + ID3, ID3_WITH_FOOTER, ID3 + bytes(500) + ID3_WITH_FOOTER, APE + ID3])
def test_tags_may_come_first(tmp_path: Path, name: str, tags: bytes) -> None:
    data = encoded(tmp_path, name)
    assert np.array_equal(read(tmp_path, name, tags + data), read(tmp_path, name, data))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tags", [ID3V1, APE + ID3V1, APE_ITEM + APE_WITHOUT_HEADER, ID3V1 + b"\0" * 3])
def test_tags_may_come_last(tmp_path: Path, name: str, tags: bytes) -> None:
    data = encoded(tmp_path, name)
    assert np.array_equal(read(tmp_path, name, data + tags), read(tmp_path, name, data))


def flac_of_unknown_length(data: bytes) -> bytes:
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]


@pytest.mark.parametrize("samples", [1, 4096, 12_345, 2 * SAMPLE_RATE])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_flac_of_unknown_length_is_read(tmp_path: Path, samples: int, channels: int) -> None:
    data = encoded(tmp_path, "a.flac", np.repeat(NOISE[:samples, None], channels, axis=1))
    found = read(tmp_path, "a.flac", ID3 + flac_of_unknown_length(data) + ID3V1)
    assert np.array_equal(found, NOISE[:samples] / np.float32(2**15))


def test_a_flac_of_unknown_length_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    data = flac_of_unknown_length(encoded(tmp_path, "a.flac"))
    for cut in (1, 2, 1000, len(data) // 2):
        with pytest.raises(CorpusError, match="its last frame is incomplete"):
            read(tmp_path, "a.flac", data[:-cut])


def without_stated_length(data: bytes) -> bytes:
    """An MP3 file without its first frame, which states the number of frames."""
    first = mp3.parse_frame(data[:4])
    assert first is not None and (b"Xing" in data[:60] or b"Info" in data[:60])
    return data[first.length :]


@pytest.mark.parametrize("frames", [None, 56])
def test_a_vbri_tag_and_one_without_a_length_hold_no_sound(tmp_path: Path, frames: int | None) -> None:
    data = encoded(tmp_path, "a.mp3")
    first = mp3.parse_frame(data[:4])
    assert first is not None
    rest, count = data[first.length :], frames or 0
    vbri = bytes(32) + b"VBRI" + struct.pack(">HHHII", 1, 0, 75, len(data), count)
    xing = bytes(first.tag - 4) + b"Xing" + struct.pack(">II", 4, 100)
    tagged = (data[:4] + (vbri if frames else xing)).ljust(first.length, b"\0") + rest
    assert np.array_equal(read(tmp_path, "a.mp3", tagged), read(tmp_path, "a.mp3", rest))


def fading() -> np.ndarray:
    """Noise, then near silence: an encoder of variable bit rate spends most on the beginning."""
    return (NOISE * np.where(np.arange(len(NOISE)) < SAMPLE_RATE // 4, 1, 0.001)).astype(np.int16)


@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(tmp_path: Path, mode: str, rate: int) -> None:
    data = encoded(tmp_path, "a.mp3", fading(), rate, bitrate_mode=mode, compression_level=0.3)
    seconds = len(read(tmp_path, "a.mp3", ID3 + ID3 + without_stated_length(data))) / SAMPLE_RATE
    assert seconds == pytest.approx(len(NOISE) / rate, abs=0.15) and seconds >= len(NOISE) / rate


@pytest.mark.parametrize("between", [b"", ID3V1, ID3V1 + ID3, ID3])
def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path, between: bytes) -> None:
    data = encoded(tmp_path, "a.mp3", fading())
    (tmp_path / "a.mp3").write_bytes(ID3 + data + between + data)
    clip = read_clip(tmp_path / "a.mp3")
    assert clip.file_ms == pytest.approx(4000, abs=250) and clip.marks == ("unstated-length",)
    assert level(clip.samples[SAMPLE_RATE * 2 : round(SAMPLE_RATE * 2.3)]) > 10 * level(
        clip.samples[SAMPLE_RATE:][:8000]
    )


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.wav", "a.flac"])
def test_chained_streams_and_joined_files_are_read_to_the_end(tmp_path: Path, name: str) -> None:
    first, second = encoded(tmp_path, name), encoded(tmp_path, name, NOISE[: SAMPLE_RATE // 2])
    alone = [read(tmp_path, name, data) for data in (first, second)]
    (tmp_path / name).write_bytes(first + second)
    clip = read_clip(tmp_path / name)
    assert np.allclose(clip.samples, np.concatenate(alone), atol=1e-3) and clip.marks == ("unstated-length",)
    assert len(read_clip(tmp_path / name, trim_to_s=2.25).samples) == 2.25 * SAMPLE_RATE
    with pytest.raises(CorpusError, match="2 recordings with different sample rates or channels"):
        read(tmp_path, name, first + encoded(tmp_path, name, np.repeat(NOISE[:, None], 2, axis=1)))


def pages(data: bytes) -> list[bytes]:
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_flac_that_states_fewer_samples_than_it_has_is_read_to_its_end(tmp_path: Path, share: float) -> None:
    data = encoded(tmp_path, "a.flac")
    stated = (int.from_bytes(data[18:26]) >> 36 << 36 | int(len(NOISE) * share)).to_bytes(8)
    (tmp_path / "a.flac").write_bytes(data[:18] + stated + data[26:])
    clip = read_clip(tmp_path / "a.flac")
    assert is_noise(clip.samples) and clip.marks == ("unstated-length",)


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (SAMPLE_RATE, 2)])
def test_an_mp3_that_changes_its_form_says_so(tmp_path: Path, rate: int, channels: int) -> None:
    other = encoded(tmp_path, "a.mp3", np.repeat(NOISE[:, None], channels, axis=1), rate)
    with pytest.raises(CorpusError, match=r"sample rate or number of channels changes at byte \d+, .*ffmpeg -i"):
        read(tmp_path, "a.mp3", encoded(tmp_path, "a.mp3") + other)


def test_a_stream_without_a_last_page_says_how_to_keep_it(tmp_path: Path) -> None:
    whole = encoded(tmp_path, "a.opus")
    flags = whole.rindex(b"OggS") + 5
    with pytest.raises(CorpusError, match=r"last Ogg page is missing; if nothing else is, .*: ffmpeg -i .*\.flac"):
        read(tmp_path, "a.opus", whole[:flags] + b"\0" + whole[flags + 1 :])


def test_an_ogg_with_a_missing_page_is_refused(tmp_path: Path) -> None:
    whole = pages(encoded(tmp_path, "a.opus", np.tile(NOISE, 4)))
    assert len(whole) > 5
    (tmp_path / "a.opus").write_bytes(b"".join(whole[:2] + whole[3:]))  # as one who tunes in to a stream gets it
    assert read_clip(tmp_path / "a.opus").marks == ("unstated-length",)
    for missing in (3, len(whole) - 1):
        with pytest.raises(CorpusError, match=r"page is missing"):
            read(tmp_path, "a.opus", b"".join(whole[:missing] + whole[missing + 1 :]))


NOT_SOUND: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"\(it is empty\)\. Download or export it again"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        r"Git LFS pointer, which stands for the recording\)\. Fetch it: git lfs pull",
    ),
    "page": (
        b"<!DOCTYPE html>\n<html><head><title>Sign in</title>",
        r"a web page, that begins '<!DOCTYPE html> <html>",
    ),
    "lower page": (b"\xef\xbb\xbf\n <html lang='en'>404", "a web page, that begins"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "AccessDenied"),
    "json": (
        b'{"error": "Repository not found"}',
        r"it is JSON, that begins '\{\"error\": \"Repository not found\"\}'",
    ),
    "text": (b"Moved Permanently. Redirecting to https://example.org/a.wav\n", "it is text, that begins 'Moved"),
    "utf-8": ("Zugriff verweigert: Schlüssel ungültig\n".encode(), "it is text"),
    "zeros": (bytes(9000), "begins with zeros only, as if it was never written"),
    "archive": (b"PK\x03\x04" + bytes(100), "it is a ZIP archive"),
    "raw": (NOISE[:4000].tobytes(), r"first bytes are those of no known form.*raw samples"),
}


@pytest.mark.parametrize(("content", "message"), NOT_SOUND.values(), ids=NOT_SOUND)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg"])
def test_what_is_no_sound_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=rf"{name}: not a sound file that can be read .*{message}"):
        read(tmp_path, name, content)


def form(coding: int, extension: bytes = b"", bits: int = 16) -> bytes:
    """A WAV with a second of this coding."""
    head = struct.pack("<HHIIHH", coding, 1, SAMPLE_RATE, SAMPLE_RATE * bits // 8, bits // 8, bits)
    sound = bytes(SAMPLE_RATE * bits // 8)
    chunks = chunk(b"fmt ", head + extension) + chunk(b"data", sound)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


NOT_READ: dict[str, bytes] = {
    "AIFF": b"FORM\0\0\x10\0AIFFCOMM",
    "M4A": b"\0\0\0\x20ftypM4A \0\0\0\0",
    "MP4": b"\0\0\0\x20ftypisom\0\0\0\0",
    "3GP": b"\0\0\0\x20ftyp3gp4\0\0\0\0",
    "WebM or Matroska": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81",
    "AAC": b"\xff\xf1\x50\x80\x2e\x7f\xfc\x21",
    "AMR": b"#!AMR-WB\n\x44",
    "WMA": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
    "CAF": b"caff\0\x01\0\0desc",
    "Speex in Ogg": b"OggS\0\x02" + bytes(20) + b"\x01\x50Speex   1.2".ljust(82, b"\0"),
    "layer I or II": b"\xff\xfd\x84\x04" + bytes(600),
    "G.722 in WAV": form(0x28F),
    "coding 0xC13A in WAV": form(0xC13A),
    "AC-3 in WAV": form(0xFFFE, struct.pack("<HHIH", 22, 16, 4, 0x2000) + bytes(14)),
    "WAV with samples of 64 bits": form(1, bits=64),
    "MP3 in WAV": struct.pack("<4sI4s4sIHHIIHHH", b"RIFF", 100, b"WAVE", b"fmt ", 18, 0x55, 1, 16000, 4000, 1, 0, 0)
    + b"data\x04\0\0\0\xff\xfb\0\0",
}


@pytest.mark.parametrize(("form", "content"), NOT_READ.items(), ids=NOT_READ)
@pytest.mark.parametrize("name", ["a b.wav", "c.m4a"])
def test_other_forms_are_named_with_a_command(tmp_path: Path, name: str, form: str, content: bytes) -> None:
    with pytest.raises(
        CorpusError, match=rf"{name}: is .*{form}.*, which is not read\. Convert it: ffmpeg -i .*\.flac"
    ):
        read(tmp_path, name, content)


@pytest.mark.parametrize(
    "where", [lambda data, n: data[:n], lambda data, n: data[n:], lambda data, n: data[:n] + data[n + 9 :]]
)
@pytest.mark.parametrize("name", FORMATS)
def test_every_cut_is_read_or_explained(tmp_path: Path, name: str, where: Callable[[bytes, int], bytes]) -> None:
    data = encoded(tmp_path, name, NOISE[:4000])
    for n in range(0, 300, 7):
        try:
            found = read(tmp_path, name, where(data, n))
        except CorpusError:
            continue
        assert len(found) and np.isfinite(found).all()


@pytest.mark.golden
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the checkout")
def test_cases_from_the_field() -> None:
    assert len(read_clip(CASES / "wav-placeholder-two-billion" / "clip.wav").samples) == 22_400
    assert read_clip(CASES / "mp3-two-id3-tags" / "clip.mp3").file_ms > 1000
