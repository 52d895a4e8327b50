"""A whole run of systems that are HTTP servers: every turn answered, and no secret in any file of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpx2")

from support.command import bench, here, write_clips
from support.http_exchange import KEY, TOKEN
from support.llm_server import Answer, Scripted, delta, serving
from support.speech_server import PCM, base64_of, body, events

from firstpacket.bench.record.store import read_run

ECHO = f"You sent {KEY} and {TOKEN}."


def echoing(answer: Answer) -> None:
    """Answers everything, and repeats what must not be kept."""
    path, _, asked = answer.server.asked[-1]
    if path.endswith("/transcriptions"):
        return answer.plain(200, {"text": ECHO}, X_Request_Id=KEY)
    if path.endswith("/speech"):
        return body(PCM, PCM)(answer)
    if "modalities" not in asked:
        return answer.stream([delta(ECHO[:20]), delta(ECHO[20:]), delta(finish="stop"), "[DONE]"])
    said = {"transcript": ECHO, "data": base64_of(PCM)}
    first = {**json.loads(delta(audio=said)), "system_fingerprint": TOKEN}
    return events(first, json.loads(delta(finish="stop")))(answer)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as made:
        made.models, made.listed = ("tiny",), {"owned_by": KEY}
        made.pages = {"/version": {"version": f"0.33 {KEY}"}}
        made.script = made.script_of_trial = made.script_of_warm_up = echoing
        yield made


def test_a_run_has_every_turn_and_no_secret(server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_HEADERS", f"X-Token: {TOKEN}")
    roles = ",".join(
        f"{role}=openai,{role}-url={server.url},{role}-key-env=MY_KEY,{role}-headers-env=MY_HEADERS"
        for role in ("asr", "llm", "tts")
    )
    out = tmp_path / "run"
    done = bench(
        *("run", "-p", f"cascade,{roles}", "-p", f"chat-audio,url={server.url},key-env=MY_KEY,headers-env=MY_HEADERS"),
        *("--corpus", write_clips(tmp_path / "clips", 2), "--turns", "2", "--warmup", "1", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    assert {(turn.label, turn.outcome) for turn in read_run(out).turns} == {
        ("cascade", "answered"),
        ("chat-audio", "answered"),
    }
    sent = [headers for path, headers, _ in server.asked if path.startswith("/v1")]
    assert sent and all(each["Authorization"] == f"Bearer {KEY}" and each["X-Token"] == TOKEN for each in sent)
    files = [file for file in out.rglob("*") if file.is_file()]
    texts = {file.name: file.read_bytes() for file in files} | {"output": (done.stdout + done.stderr).encode()}
    assert sum(map(len, texts.values())) > 10_000
    for secret in (KEY, TOKEN):
        assert not [name for name, text in texts.items() if secret.encode() in text]
    assert any(b"[key]" in text for text in texts.values()), "what the server repeated was there to be found"
    assert here("recompute", out).returncode == 0
    assert here("redact", out, "--out", tmp_path / "redacted").returncode == 0
    assert any(b"You sent" in text for text in texts.values())
    assert not [
        file for file in (tmp_path / "redacted").rglob("*") if file.is_file() and b"You sent" in file.read_bytes()
    ]
