"""XTTS (Casanova et al. 2024, arXiv 2406.04904): a language model over sound gives latents, a vocoder makes sound.

Coqui's `inference_stream` vocodes everything said so far again for every chunk, so that each takes longer than the one
before. Here the vocoder runs over the new latents and the context that their samples depend on. The samples are the
same, the cross-fades between chunks included.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts.coqui.choosing import chosen
from firstpacket.pipelines.cascade.tts.coqui.randomness import Randomness
from firstpacket.pipelines.cascade.tts.coqui.vocoding import Vocoder

OVERLAP = 1024
"""Samples over which a chunk is faded into the next one; Coqui's `overlap_wav_len`."""
DEFAULT_LANGUAGE = "en"


class XttsVoice:
    """One speaker and language of an `Xtts` of Coqui, with the sampling that its configuration asks for.

    `chunk` is the number of latents (1024 samples at 22.05 kHz each) from which a chunk is made; 0 waits for all.
    """

    def __init__(self, model: Any, speaker: str, language: str, chunk: int, seed: int) -> None:
        self._model = model
        self._chunk = chunk
        self._seed = seed
        self.rate = int(model.args.output_sample_rate)
        self.vocoder = Vocoder(model.hifigan_decoder.waveform_decoder)
        self._language = chosen("tts-language", language or DEFAULT_LANGUAGE, list(model.config.languages), "language")
        speakers = model.speaker_manager
        name = chosen("tts-speaker", speaker, list(speakers.speaker_names), "speaker")
        self._condition, self._speaker = (part.to(model.device) for part in speakers.speakers[name].values())

    def speak(self, text: str, trace: Trace) -> Iterator[Samples]:
        """Yield the sound as it is generated; a text too long for XTTS is spoken sentence by sentence."""
        randomness = Randomness(self._seed, self._model.device)
        for sentence in self._sentences(text):
            yield from self._said(sentence, randomness, trace)

    def _said(self, sentence: str, randomness: Randomness, trace: Trace) -> Iterator[Samples]:
        latents = self._latents(sentence, randomness)
        stream = _Stream(self._model, self.vocoder, self._speaker)
        ended = False
        while not ended:
            new: list[Tensor] = []
            while not ended and (not new or len(new) != self._chunk):
                latent = next(latents, None)
                ended = latent is None
                new += [] if latent is None else [latent]
            with torch.inference_mode():
                sound = stream.push(new, ended)
                with trace.device_wait():
                    chunk = sound.cpu().numpy().astype(np.float32, copy=True)
            if len(chunk):
                yield chunk

    def _latents(self, sentence: str, randomness: Randomness) -> Iterator[Tensor]:
        """Latents `(1, width)`, one per step of the language model."""
        model, config = self._model, self._model.config
        with torch.inference_mode(), randomness.drawing():
            ids = model.tokenizer.encode(sentence.strip().lower(), lang=self._language)
            tokens = torch.tensor([ids], dtype=torch.int32, device=model.device)
            steps = model.gpt.get_generator(
                fake_inputs=model.gpt.compute_embeddings(self._condition, tokens),
                top_k=config.top_k,
                top_p=config.top_p,
                temperature=config.temperature,
                do_sample=True,
                num_beams=1,
                num_return_sequences=1,
                length_penalty=float(config.length_penalty),
                repetition_penalty=float(config.repetition_penalty),
                output_attentions=False,
                output_hidden_states=True,
                return_dict_in_generate=True,
            )
        while True:
            with torch.inference_mode(), randomness.drawing():
                step = next(steps, None)
            if step is None:
                return
            yield step[1]

    def _sentences(self, text: str) -> list[str]:
        limit = self._model.tokenizer.char_limits.get(self._language.split("-")[0], 250)
        if len(text) <= limit:
            return [text]
        import pysbd

        known = self._language if self._language in pysbd.languages.LANGUAGE_CODES else DEFAULT_LANGUAGE
        sentences = pysbd.Segmenter(language=known, clean=True).segment(text)
        return [part for sentence in sentences for part in textwrap.wrap(sentence, limit)]


class _Stream:
    """Turns a stream of latents into sound."""

    def __init__(self, model: Any, vocoder: Vocoder, speaker: Tensor) -> None:
        self._model = model
        self._vocoder = vocoder
        self._speaker = speaker
        self._latents: list[Tensor] = []
        self._said = 0
        self._fading: Tensor | None = None

    def push(self, latents: list[Tensor], last: bool) -> Tensor:
        """Samples that are final after these latents `(1, width)`: all but the overlap, or all if they are last."""
        self._latents += latents
        frames = self._frames()
        # Coqui cuts and fades by counting from the beginning of all samples; here they begin at a later frame.
        first = max(0, self._said - OVERLAP) // self._vocoder.hop
        sound = self._vocoder.window(frames, self._speaker, first, frames.shape[-1])
        before = sound[: self._said - first * self._vocoder.hop] if self._said else None
        chunk, _, self._fading = self._model.handle_chunks(sound, before, self._fading, OVERLAP, is_final=last)
        self._said = frames.shape[-1] * self._vocoder.hop
        settled: Tensor = chunk
        return settled

    def _frames(self) -> Tensor:
        """The vocoder's frames `(1, width, n)`: latents interpolated to its rate, as `HifiDecoder` does it.

        All of them, since positions are rounded from the beginning on; next to the vocoder this takes no time.
        """
        decoder = self._model.hifigan_decoder
        latents = torch.cat(self._latents)[None].transpose(1, 2)
        frames = interpolate(
            latents, scale_factor=[decoder.ar_mel_length_compression / decoder.output_hop_length], mode="linear"
        )
        if decoder.output_sample_rate != decoder.input_sample_rate:
            ratio = decoder.output_sample_rate / decoder.input_sample_rate
            frames = interpolate(frames, scale_factor=[ratio], mode="linear")
        return frames
