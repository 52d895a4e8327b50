"""Manifests: what a line may contain, and the error for each wrong line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstpacket.bench.corpus.manifest import ManifestLine, read_manifest, write_manifest
from firstpacket.bench.errors import CorpusError

GOOD: dict[str, Any] = {"id": "a", "audio": "a.wav"}


def manifest(folder: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    path = folder / "manifest.jsonl"
    encoded = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"\n".join(encoded) + b"\n")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lines = [
        ManifestLine(
            "ä b/1",
            "sub/x.flac",
            text="Say “hi”,\u2028 please.",
            speech_start_ms=10.5,
            speech_end_ms=900,
            speech_end_source="estimated",
            speech_end_method="two detectors",
            language="de",
            voice="v",
            speaker_kind="human",
            licence="CC0-1.0",
            sha256="0" * 64,
            answers=("one", "two"),
            condition="street",
            split="test",
            dataset="d",
            revision="r",
            speaker="s1",
            category="facts",
            dialogue="d1",
            turn=0,
            answer_rule="contains",
        ),
        ManifestLine("b", "x.wav"),
    ]
    write_manifest(tmp_path / "m.jsonl", lines)
    found = read_manifest(tmp_path / "m.jsonl")
    assert [entry.line for entry in found] == lines
    assert found[0].audio == tmp_path / "sub" / "x.flac"
    assert found[1].where.endswith("m.jsonl:2")


def test_byte_order_mark_windows_lines_and_blank_lines(tmp_path: Path) -> None:
    path = manifest(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r", "", {**GOOD, "id": "b"})
    assert [entry.line.id for entry in read_manifest(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"is not valid JSON \("),
        ("[" * 100_000, r"is not valid JSON \("),
        ('{"id": "a", "audio": "a.wav", "speech_end_ms": NaN}', "NaN is not a JSON number"),
        ('{"id": "a", "audio": "a.wav", "text": "\\ud800"}', "is not valid JSON"),
        ("[]", "expected an object"),
        ('{"id": "a", "audio": "a.wav", "audio": "b.wav"}', "key 'audio' occurs twice in one object"),
        ({**GOOD, "speeker": "x"}, "unknown field 'speeker' .*Correct the manifest"),
        ({"id": "a"}, "field 'audio' is missing"),
        ({**GOOD, "id": 7}, r"\.id: expected text, found a whole number 7"),
        ({**GOOD, "speech_end_ms": "900"}, r"\.speech_end_ms: expected a number"),
        ({**GOOD, "speech_end_ms": 10**400}, "the number is too large"),
        ({**GOOD, "speech_end_source": "guessed"}, "expected one of annotated, estimated"),
        ('{"id": "a", "audio": "a.wav", "speech_end_ms": 1e999}', "expected a finite number, found inf"),
        ({**GOOD, "speech_end_ms": -1}, "speech_end_ms is -1. Give milliseconds"),
        ({**GOOD, "speech_start_ms": -1}, "speech_start_ms is -1"),
        ({**GOOD, "speech_end_ms": 0}, "speech ends at 0 ms but begins at 0 ms"),
        (
            {**GOOD, "speech_start_ms": 900, "speech_end_ms": 800},
            "speech ends at 800 ms but begins at 900",
        ),
        ({**GOOD, "speech_end_ms": True}, r"\.speech_end_ms: expected a number.*, found true or false True"),
        (
            {**GOOD, "speech_end_ms": 1.14},
            r"lasts only 1\.14 ms, .* Times are in milliseconds \(1\.14 seconds are 1140\)",
        ),
        ({**GOOD, "speech_start_ms": 0.2, "speech_end_ms": 19.5}, r"lasts only 19\.3 ms, from 0\.2 to 19\.5"),
        ({**GOOD, "speech_start_ms": 900, "speech_end_ms": 901}, "lasts only 1 ms, from 900 to 901"),
        ({**GOOD, "id": ""}, "id '' is invalid. An id has 1 to 200 characters"),
        ({**GOOD, "id": "a\nb"}, r"id 'a\\nb' is invalid"),
        ({**GOOD, "id": "a" * 201}, "is invalid"),
        ({**GOOD, "audio": "../a.wav"}, "'../a.wav' is not inside the manifest's folder"),
        ({**GOOD, "audio": "x/../../a.wav"}, "is not inside the manifest's folder"),
        ({**GOOD, "audio": "/etc/passwd"}, "'/etc/passwd' is not inside the manifest's folder"),
        ({**GOOD, "audio": ""}, "'' is not inside"),
        ({**GOOD, "audio": "https://example.org/a.flac"}, "'https://example.org/a.flac' is a URL. Download the rec"),
        ({**GOOD, "audio": "a\0.wav"}, "is not inside"),
    ],
)
def test_a_wrong_line_is_named_with_its_fault(tmp_path: Path, line: dict[str, Any] | str, message: str) -> None:
    path = manifest(tmp_path, {**GOOD, "id": "first"}, line)
    with pytest.raises(CorpusError, match=message) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}:2")


def test_duplicate_ids_name_both_places(tmp_path: Path) -> None:
    path = manifest(tmp_path, GOOD, {**GOOD, "audio": "b.wav"})
    with pytest.raises(CorpusError, match=r":2: id 'a' is already used at .*:1\. Ids must be unique"):
        read_manifest(path)


def test_a_manifest_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is not UTF-8 text .* at byte \d+"):
        read_manifest(manifest(tmp_path, GOOD, b'{"id": "\xff"}'))
    with pytest.raises(CorpusError, match="cannot be read"):
        read_manifest(tmp_path / "none.jsonl")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from([*ManifestLine.__dataclass_fields__, "other"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.dictionaries(fields, json_values) | json_values, extra=st.text(max_size=4))
def test_any_json_is_read_or_explained(tmp_path: Path, line: Any, extra: str) -> None:
    path = manifest(tmp_path, json.dumps(line) + extra.encode("utf-8", "ignore").decode())
    try:
        entries = read_manifest(path)
    except CorpusError as error:
        assert str(error).startswith(str(path))
        return
    assert all(entry.audio.is_relative_to(tmp_path) for entry in entries)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"answer_rule": "contains", "answers": ["tea", "(b)"]}, "the answer '\\(b\\)' is one letter.*rule 'choice'"),
        ({"answer_rule": "choice", "answers": ["B", "tea"]}, "'choice' needs letters as answers"),
        ({"answer_rule": "judge"}, "expected one of equals, contains, choice, final, none"),
        ({"turn": 0}, "needs both fields, dialogue and turn"),
        ({"dialogue": "d"}, "needs both fields, dialogue and turn"),
        ({"dialogue": "d", "turn": 1}, "m.*:1: dialogue 'd' has the turns 1. Number the turns of a dialogue 0, 1, 2"),
    ],
)
def test_answers_and_turns_that_make_no_sense_are_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_manifest(manifest(tmp_path, {**GOOD, **fields}))
    read_manifest(manifest(tmp_path, {**GOOD, "answer_rule": "choice", "answers": ["B", "(c)"]}))


def test_turns_of_dialogues_may_stand_in_any_order(tmp_path: Path) -> None:
    turns = [
        {"id": f"{name}{turn}", "audio": "a.wav", "dialogue": name, "turn": turn} for turn in (1, 0) for name in "xy"
    ]
    assert len(read_manifest(manifest(tmp_path, *turns))) == 4
    with pytest.raises(CorpusError, match="has the turns 0, 0, 1"):
        read_manifest(manifest(tmp_path, *turns, {**turns[-2], "id": "again"}))
