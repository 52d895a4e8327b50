"""Two turns with each server, measured as users measure theirs: in worker processes, in real time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real_servers.process import HOST, Server
from real_servers.wyoming import VOICE

import firstpacket
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.options import Options
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.record.store import Run, read_run
from firstpacket.pipelines.tools.weights.export import export

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(300)]
TURNS = 2
RELAXED = {"warmup": 0, "microphone_limit_ms": 1000.0, "progress": False}
"""Nothing here is timed, so a busy machine is no reason to refuse a run."""


def measured(folder: Path, *pipelines: str, **options: Any) -> Run:
    """A run in which every turn was answered."""
    path = folder / "run"
    run = firstpacket.run(*pipelines, input="realtime", turns=TURNS, out=path, **RELAXED, **options)
    turns = run.turns()
    assert [(turn.outcome, turn.reason) for turn in turns.itertuples() if turn.outcome != "answered"] == []
    return read_run(path)


def evidence(run: Run, label: str) -> dict[str, Evidence]:
    """Of the measured turns, by clip."""
    return {turn.utterance: run.evidence(turn) for turn in run.measured(label)}


def texts(found: dict[str, Evidence], kind: str) -> dict[str, str]:
    return {clip: "".join(texts_of(one, kind)) for clip, one in found.items()}


def texts_of(one: Evidence, kind: str) -> list[str]:
    return [text.text for text in one.trace.texts if text.kind == kind]


def received(one: Evidence) -> list[str]:
    return [message.type for message in one.trace.messages if not message.sent]


def test_wyoming_servers_in_a_cascade(faster_whisper: Server, piper: Server, tmp_path: Path) -> None:
    """Takes 15 s: a process that loads the language model, and clips in real time."""
    asr = f"asr=wyoming,asr-uri=tcp://{HOST}:{faster_whisper.port}"
    tts = f"tts=wyoming,tts-uri=tcp://{HOST}:{piper.port}"
    run = measured(tmp_path, f"cascade,{asr},{tts}")
    turns = evidence(run, "cascade")
    assert len(turns) == TURNS
    facts = run.segments[0].labels[0].facts
    assert (facts["asr_server"], facts["tts_server"], facts["tts_text"]) == ("faster-whisper", "piper", "in parts")
    assert texts(turns, "transcript") == {clip: faster_whisper_hears(clip) for clip in turns}
    for one in turns.values():
        assert received(one)[:2] == ["transcript", "audio-start"] and received(one)[-1] == "synthesize-stopped"
        assert one.trace.session is not None and not one.trace.marks, "a connection per turn, made before it"
    for turn in run.measured():
        messages = turns[turn.utterance].trace.messages
        stop = next(message for message in messages if message.sent and message.type == "audio-stop")
        transcript = next(message for message in messages if message.type == "transcript")
        waited_ns = transcript.at_ns - stop.done_ns
        assert turn.figures["asr_final_latency"] == pytest.approx(waited_ns, abs=50_000_000)


def test_openais_endpoints_in_a_cascade(openai_gateway: Server, tmp_path: Path) -> None:
    """Takes 15 s: a process that loads the language model, and clips in real time."""
    url = f"http://{HOST}:{openai_gateway.port}/v1"
    asr = f"asr=openai,asr-url={url},asr-model=any"
    run = measured(tmp_path, f"cascade,{asr},tts=openai,tts-url={url},tts-model=any,tts-voice={VOICE}")
    turns = evidence(run, "cascade")
    assert all(texts(turns, "transcript").values()), "what the recogniser makes of audio that the gateway has resampled"
    for one in turns.values():
        header, *audio = [message.audio_bytes for message in one.trace.messages if message.type == "audio"]
        assert header == 44 and len(audio) > 10, "WAV, as piper makes it"
        assert {packet.sample_rate for packet in one.trace.packets} == {22_050}
        assert sum(packet.samples for packet in one.trace.packets) == sum(audio) // 2


@pytest.mark.parametrize("stream", ["off", "words"])
def test_transformers_serve_in_a_cascade(transformers_server: str, tmp_path: Path, stream: str) -> None:
    """Takes 10 s: clips in real time."""
    (whisper,), (llama,) = export("transformers-whisper", None), export("llama", None)
    asr = f"asr=openai,asr-url={transformers_server},asr-model={whisper},asr-stream={stream}"
    llm = f"llm=openai,llm-url={transformers_server},llm-model={llama},llm-max-tokens=16"
    turns = evidence(measured(tmp_path, f"cascade,{asr},{llm}"), "cascade")
    assert len(turns) == TURNS and all(texts(turns, "reply").values())
    assert texts(turns, "transcript") == {clip: transformers_hears(clip) for clip in turns}
    assert {len(texts_of(one, "partial")) > 1 for one in turns.values()} == {stream == "words"}


def test_speech_to_speech_waits_for_the_silence_that_was_asked(speech_to_speech: Server, tmp_path: Path) -> None:
    """Takes 45 s: six turns in real time with a server that has room for one client."""
    server = f"realtime,url=ws://{HOST}:{speech_to_speech.port},dialect=hf,endpoint-silence"
    run = measured(tmp_path, f"short={server}=300", f"long={server}=900")
    short, long = ({turn.utterance: turn for turn in run.measured(label)} for label in ("short", "long"))
    assert len(short) == TURNS and short.keys() == long.keys()
    for clip in short:
        more_ns = long[clip].figures["endpointing_delay"] - short[clip].figures["endpointing_delay"]
        assert 400e6 < more_ns < 800e6, "600 ms more, by audio_end_ms, in steps of its detector"


def test_speech_to_speech_says_where_its_time_goes(speech_to_speech: Server, tmp_path: Path) -> None:
    """Takes 20 s: clips in real time."""
    run = measured(tmp_path, f"realtime,url=ws://{HOST}:{speech_to_speech.port},dialect=hf")
    clips = {one.id: one.text for one in load_corpus(Options().corpus).utterances}
    for turn in run.measured():
        figures, one = turn.figures, run.evidence(turn)
        assert texts({turn.utterance: one}, "transcript")[turn.utterance] == clips[turn.utterance]
        parts = [figures[f"server.{name}"] for name in ("transcription", "llm", "speech", "endpoint decision")]
        assert min(parts) > 0 and max(parts) < figures["server.e2e"] < figures["first_packet_latency"]
        assert {"session.created", "session.updated", "response.done"} <= set(received(one))


def speech(clip: str) -> Samples:
    """The clip cut at the end of its speech, as the recognisers get it."""
    (utterance,) = [one for one in load_corpus(Options().corpus).utterances if one.id == clip]
    return utterance.speech()


def faster_whisper_hears(clip: str) -> str:
    """What the library makes of a clip, with the server's settings."""
    from faster_whisper import WhisperModel

    (model,) = export("faster-whisper", None)
    segments, _ = WhisperModel(str(model)).transcribe(speech(clip), language="en", beam_size=1)
    return " ".join(segment.text for segment in segments)


def transformers_hears(clip: str) -> str:
    """What the library makes of a clip without being told its language, which the server ignores."""
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    (folder,) = export("transformers-whisper", None)
    processor = AutoProcessor.from_pretrained(folder)
    heard = processor(speech(clip), sampling_rate=SAMPLE_RATE, return_tensors="pt")
    written = AutoModelForSpeechSeq2Seq.from_pretrained(folder).float().generate(heard.input_features)
    text: str = processor.batch_decode(written, skip_special_tokens=True)[0]
    return text
