"""Hugging Face's speech-to-speech, a Realtime server: with this project's models, and files that it would download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_servers.environment import SPEECH_TO_SPEECH
from real_servers.process import HOST, Server, free_port, started

from firstpacket.pipelines.tools.weights.export import export

STARTING_S = 150.0
HUB = "snakers4_silero-vad_master"
HUBCONF = """
import silero_vad as weights

def silero_vad(onnx=False):
    return weights.load_silero_vad(onnx=onnx), ()
"""
PUNKT = ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt")
"""What NLTK's sentence splitter knows; empty files mean that it knows no abbreviations."""


@contextmanager
def speech_to_speech(folder: Path) -> Iterator[Server]:
    """Recogniser, language model and a voice of noise; its log goes to `folder`."""
    port = free_port()
    command = (SPEECH_TO_SPEECH.folder / "bin" / "speech-to-speech", "serve", "--host", HOST, "--port", str(port))
    log = folder / "speech-to-speech.log"
    with started("speech-to-speech", (*command, *_models()), port, log, STARTING_S, **_offline(folder)) as server:
        yield server


def _models() -> tuple[str | Path, ...]:
    from firstpacket.pipelines.cascade.tts import vits_dummy  # with torch, which takes seconds to import

    (whisper,) = export("faster-whisper", None)
    (llama,) = export("llama", None)
    stt = "--faster_whisper_stt"
    return (
        *("--stt", "faster-whisper", f"{stt}_model_name", whisper, f"{stt}_device", "cpu"),
        *(f"{stt}_compute_type", "float32"),
        *("--llm_backend", "transformers", "--model_name", llama, "--llm_device", "cpu"),
        *("--llm_torch_dtype", "float32", "--llm_gen_max_new_tokens", "16"),
        *("--tts", "facebookMMS", "--facebook_mms_model_name", vits_dummy.folder("small", 0)),
        *("--facebook_mms_device", "cpu", "--no_smart_turn", "--torch_num_threads", "1"),
    )


def _offline(folder: Path) -> dict[str, str]:
    """Environment variables, and the files below `folder` to which they point, so that nothing is downloaded."""
    hub = folder / "torch" / "hub" / HUB
    punkt = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
    tagger = folder / "nltk" / "taggers" / "averaged_perceptron_tagger_eng"  # looked for, and never used
    for made in (hub, punkt, tagger):
        made.mkdir(parents=True)
    (hub / "hubconf.py").write_text(HUBCONF)
    for name in PUNKT:
        (punkt / name).touch()
    return {
        "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": str(folder / "torch"),
        "NLTK_DATA": str(folder / "nltk"),
    }
