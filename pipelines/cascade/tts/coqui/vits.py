"""VITS (Kim, Kong and Son 2021, arXiv 2106.06103): text to frames at once, frames to sound piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts.coqui.choosing import chosen
from firstpacket.pipelines.cascade.tts.coqui.randomness import Randomness
from firstpacket.pipelines.cascade.tts.coqui.vocoding import Vocoder

STEP = 1024
"""Samples that one step of `tts-chunk` stands for: about what one latent of XTTS gives."""


class VitsVoice:
    """One speaker of a `Vits` of Coqui.

    Says a text as `TTS.api.TTS(...).tts(text, split_sentences=False)` does, without the 10,000 samples of silence that
    this adds at the end. `chunk` is the length of a piece in steps of 1024 samples; 0 gives a text's sound at once.
    """

    def __init__(self, model: Any, speaker: str, language: str, chunk: int, seed: int) -> None:
        self._model = model
        self._seed = seed
        self.rate = int(model.config.audio.sample_rate)
        self.vocoder = Vocoder(model.waveform_decoder)
        self._frames_per_chunk = chunk * STEP // self.vocoder.hop or None
        self._kept = _Frames()
        model.waveform_decoder = self._kept
        self._trims = bool(model.config.audio.do_trim_silence)
        self._language = chosen("tts-language", language, _names(model.language_manager, "language_names"), "language")
        speaker = chosen("tts-speaker", speaker, _names(model.speaker_manager, "speaker_names"), "speaker")
        self._voice = self._chosen_voice(speaker)

    def speak(self, text: str, trace: Trace) -> Iterator[Samples]:
        """Yield the sound piece by piece; nothing if the voice can pronounce no character of the text."""
        ids = self._model.tokenizer.text_to_ids(text, language=self._language or None)
        if not self._says_something(ids):
            return
        frames, speaker = self._frames(ids)
        length = frames.shape[-1]
        step = self._frames_per_chunk or length
        sound = np.zeros(0, np.float32)
        for start in range(0, length, step):
            piece = self._vocoded(frames, speaker, start, min(start + step, length), trace)
            said = len(sound)
            sound = np.concatenate((sound, piece))
            end = self._end(sound)
            if end > said:
                yield sound[said:end]
            if end < len(sound):
                return

    def _frames(self, ids: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Frames `(1, channels, n)` for the vocoder, and its speaker `(1, channels, 1)`."""
        device = self._model.device
        tokens = torch.as_tensor(ids, dtype=torch.long, device=device)[None]
        lengths = torch.tensor(tokens.shape[1:2], device=device)
        with torch.inference_mode(), Randomness(self._seed, device).drawing():
            self._model.inference(tokens, aux_input={"x_lengths": lengths, **self._voice})
        return self._kept.take()

    def _vocoded(self, frames: Tensor, speaker: Tensor | None, start: int, end: int, trace: Trace) -> Samples:
        with torch.inference_mode():
            sound = self.vocoder.window(frames, speaker, start, end)
            with trace.device_wait():
                return sound.cpu().numpy().astype(np.float32, copy=False)

    def _end(self, sound: Samples) -> int:
        """Where the sound ends: Coqui cuts at the first long silence, if the configuration says so."""
        return int(self._model.ap.find_endpoint(sound)) if self._trims else len(sound)

    def _says_something(self, ids: Sequence[int]) -> bool:
        characters = self._model.tokenizer.characters
        silent = {characters.blank_id, characters.pad_id, characters.bos_id, characters.eos_id}
        return bool(set(ids) - silent)

    def _chosen_voice(self, speaker: str) -> dict[str, Any]:
        """Speaker and language as `Vits.inference` takes them."""
        speakers, languages, device = self._model.speaker_manager, self._model.language_manager, self._model.device
        voice: dict[str, Any] = {"speaker_ids": None, "d_vectors": None, "language_ids": None}
        if speaker and speaker in speakers.name_to_id:
            voice["speaker_ids"] = torch.tensor([speakers.name_to_id[speaker]], device=device)
        elif speaker:
            mean = speakers.get_mean_embedding(speaker, num_samples=None, randomize=False)
            voice["d_vectors"] = torch.tensor(mean, dtype=torch.float, device=device)[None]
        if self._language and self._model.args.use_language_embedding:
            voice["language_ids"] = torch.tensor([languages.name_to_id[self._language]], device=device)
        return voice


class _Frames(nn.Module):
    """Replaces the vocoder and keeps its input."""

    def __init__(self) -> None:
        super().__init__()
        self._got: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, frames: Tensor, g: Tensor | None = None) -> Tensor:
        self._got.append((frames, g))
        return frames[:, :1]

    def take(self) -> tuple[Tensor, Tensor | None]:
        """The last input."""
        return self._got.pop()


def _names(manager: Any, field: str) -> list[str]:
    return list(getattr(manager, field)) if manager is not None else []
