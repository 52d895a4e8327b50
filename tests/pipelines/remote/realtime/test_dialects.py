"""Every dialect, against a fake of its server: what is sent, and what the turn is made of, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.realtime_dialects import ADDRESS, FAKES
from support.realtime_server import Server
from support.realtime_turns import after_speech_ms, evidence, loaded, types

from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.remote.realtime.audio import Format
from firstpacket.pipelines.remote.realtime.dialect import dialects

EVERY_WAY = [(name, turns) for name, fake in FAKES.items() for turns in fake.turns]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_KEY", "secret")


def options(name: str, turns: str) -> dict[str, object]:
    return {"dialect": name, "turns": turns, "url": ADDRESS, "model": "tiny", "key_env": "VOICE_KEY", "voice": "eve"}


def test_every_dialect_has_a_fake_in_each_of_its_ways_to_end_a_turn() -> None:
    assert {name: each.turns for name, each in dialects().items()} == {name: fake.turns for name, fake in FAKES.items()}


@pytest.mark.parametrize(("name", "turns"), EVERY_WAY)
def test_a_turn(name: str, turns: str) -> None:
    fake = FAKES[name]
    server = fake.server()
    result = loaded(server, **options(name, turns)).turn()
    assert (result.outcome, result.reason) == ("answered", "")
    decided_ms = 0 if turns == "manual" else fake.endpoint_ms
    endpoint = [] if turns == "manual" else [("endpoint", 0, decided_ms)]
    wait = ("wait", decided_ms, decided_ms + 300)
    assert after_speech_ms(result) == [("uplink", 0, 0), *endpoint, wait, ("reply", wait[2], wait[2])]
    marks = [
        (mark.at_ns - result.delivery.t0_ns) / 1e6 for mark in result.trace.marks if mark.name == KnownMark.ENDPOINT
    ]
    assert marks == [decided_ms for _ in endpoint]
    assert tuple(text.kind for text in result.trace.texts) == fake.texts
    said = {text.kind: text.text for text in result.trace.texts}
    assert said["reply"] == "It is noon." and said.get("partial", "what time") == "what time"
    assert [packet.sample_rate for packet in result.trace.packets] == [server.output_rate] * 3


@pytest.mark.parametrize(("name", "fake"), FAKES.items())
def test_where_a_server_is_and_how_it_gets_its_key(name: str, fake: object) -> None:
    server = FAKES[name].server()
    loaded(server, **options(name, ""))
    target = server.peers[0].target
    assert target.url == FAKES[name].url
    assert dict(target.headers) == FAKES[name].key


@pytest.mark.parametrize("name", FAKES)
def test_a_conversation_of_several_turns_on_one_connection(name: str) -> None:
    pipeline = loaded(FAKES[name].server(), **options(name, ""), conversation="run")
    first, second = pipeline.turn(), pipeline.turn()
    assert after_speech_ms(second) == after_speech_ms(first)
    assert types(second, sent=False) == types(first, sent=False), "nothing of the first turn is left for the second"


def test_without_a_position_the_receipt_of_speech_stopped_is_the_endpoint() -> None:
    result = loaded(Server(position="none"), transcription="whisper").turn()
    assert after_speech_ms(result)[1] == ("endpoint", 0, 520)
    late = loaded(Server(position="none", prompt=False), dialect="hf").turn()
    assert [stage for stage, _, _ in after_speech_ms(late)] == ["uplink", "wait", "reply"], "its receipt says nothing"


@pytest.mark.parametrize("name", FAKES)
def test_the_header_of_the_beta_is_never_sent(name: str) -> None:
    """OpenAI ends a connection that has it."""
    server = FAKES[name].server()
    loaded(server, **options(name, ""))
    assert not [header for header, _ in server.peers[0].target.headers if header.lower() == "openai-beta"]


@pytest.mark.parametrize("format", ["pcmu", "pcma"])
def test_a_turn_in_telephone_quality(format: Format) -> None:
    server = Server(format=format, rate=8_000, output_rate=8_000)
    result = loaded(server, format=format).turn()
    assert after_speech_ms(result)[1:3] == [("endpoint", 0, 520), ("wait", 520, 820)]
    assert {(packet.sample_rate, packet.samples) for packet in result.trace.packets} == {(8_000, 1_600)}
    audio = next(peer.heard[0]["session"]["audio"] for peer in server.peers)
    name = {"type": f"audio/{format}"}
    assert (audio["input"]["format"], audio["output"]["format"]) == (name, name), "its rate is known"


def test_what_is_left_of_the_servers_limits_is_a_figure() -> None:
    result = loaded(FAKES["openai"].server(), **options("openai", "manual")).turn()
    assert turn_figures(evidence(result)).figures["rate_limit_left"] == 0.25


USUAL = {
    "openai": "api.openai.com",
    "xai": "api.x.ai",
    "dashscope": "dashscope.aliyuncs.com",
    "hf": "127.0.0.1",
    "localai": "127.0.0.1",
    "speaches": "127.0.0.1",
    "vllm-omni": "127.0.0.1",
    "sglang-omni": "127.0.0.1",
}


@pytest.mark.parametrize(("name", "host"), USUAL.items())
def test_without_an_address_a_key_goes_to_its_own_provider(name: str, host: str) -> None:
    server = FAKES[name].server()
    loaded(server, **{**options(name, ""), "url": ""})
    assert urlsplit(server.peers[0].target.url).hostname == host


def test_an_address_that_is_missing_is_said(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('key-variable = "VOICE_KEY"')
    for name in ("azure", str(mine)):
        with pytest.raises(UsageError, match=r"url is missing: servers of the dialect (azure|mine) have no usual"):
            loaded(Server(), **{**options(name, ""), "url": ""})


VAD = {"type", "threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response"}
REPLIES = {"create_response", "interrupt_response"}


def ga(at_top: set[str], leaves_out: set[str]) -> set[str]:
    """Fields of a session as OpenAI has it now."""
    voice = "voice" if "voice" in at_top else "audio.output.voice"
    detection = "turn_detection" if "turn_detection" in at_top else "audio.input.turn_detection"
    formats = {f"audio.{side}.format.{field}" for side in ("input", "output") for field in ("type", "rate")}
    return {"type", "output_modalities", voice, *formats, *(f"{detection}.{field}" for field in VAD - leaves_out)}


def flat(leaves_out: set[str]) -> set[str]:
    """Fields of a session as OpenAI's beta had it."""
    formats = {"input_audio_format", "output_audio_format"}
    detection = {f"turn_detection.{field}" for field in VAD - leaves_out}
    return {"modalities", "voice", *(formats - leaves_out), *detection}


SESSIONS = {
    "openai": ga(set(), set()),
    "azure": ga(set(), set()),
    "hf": ga(set(), set()),
    "localai": ga(set(), set()),
    "xai": ga({"voice", "turn_detection"}, REPLIES),
    "dashscope": flat(REPLIES),
    "sglang-omni": flat({"create_response"}),
    "speaches": flat({"prefix_padding_ms", "input_audio_format", "output_audio_format"}),
    "vllm-omni": set(),
}


@pytest.mark.parametrize(("name", "fields"), SESSIONS.items())
def test_what_a_session_is_asked_for(name: str, fields: set[str]) -> None:
    server = FAKES[name].server()
    loaded(server, **options(name, ""))
    asked = server.peers[0].heard[0]
    assert set(leaves(asked.get("session", {}))) == fields
    assert asked.get("model") == ("tiny" if name == "vllm-omni" else None)


def leaves(session: dict[str, Any], where: str = "") -> Iterator[str]:
    for field, value in session.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{where}{field}.")
        else:
            yield f"{where}{field}"
