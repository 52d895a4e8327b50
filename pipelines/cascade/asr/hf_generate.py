"""Text from features by transformers' Whisper, with the steps that the library leaves to its callers.

The encoder runs once per window, for any options of `generate`: transformers' own search for silence and its own
fallback would run it anew. Only ids are requested from `generate`: the dictionary it can return holds a copy of every
cache in host memory.
"""

from __future__ import annotations

import zlib
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, SuppressTokensAtBeginLogitsProcessor
from transformers.modeling_outputs import BaseModelOutput

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.whisper import COMPRESSION, LOG_PROBABILITY, LONGEST, NO_SPEECH, TEMPERATURES

MARKS = 4
"""Ids before the text, at most: start, language, task, no timestamps."""


class Writer:
    """A Whisper of transformers and its decoding settings. `beam` is the beam width; 1 is greedy."""

    def __init__(self, model: Any, tokenizer: Tokenizer, beam: int, fallback: bool, seed: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._beam = beam
        self._temperatures = TEMPERATURES if fallback else TEMPERATURES[:1]
        self._seed = seed
        config = model.generation_config
        # Whether a text may be empty depends on what is before it, so this rule is given to each call.
        self._not_first = list(config.begin_suppress_tokens or ())
        config.begin_suppress_tokens = None
        for needed in ("decoder_start_token_id", "no_timestamps_token_id"):
            if getattr(config, needed, None) is None:
                raise WeightsError(
                    f"{model.name_or_path}/generation_config.json has no {needed}. Copy the generation_config.json "
                    "published with these weights."
                )
        self._config = config

    # Within one call: inference mode belongs to the thread.
    @torch.inference_mode()
    def write(self, features: Tensor, language: str, prefix: str, trace: Trace) -> str:
        """Transcribe features `(1, mels, 3000)` after `prefix`; an empty language is detected.

        Raises `UsageError` for a language that the model does not support.
        """
        hidden = self._model.get_encoder()(features.to(self._model.device, self._model.dtype))
        mark = self._language_mark(hidden, language)
        given = self._tokenizer.encode(f" {prefix.strip()}", add_special_tokens=False).ids if prefix else []
        begin = [*self._marks(mark), *given[MARKS - LONGEST :]]
        text = ""
        for temperature in self._temperatures:
            confidence = _Confidence()
            ids = self._generated(hidden, mark, begin, temperature, not prefix, confidence, trace)
            text = str(self._tokenizer.decode(ids, skip_special_tokens=True))
            likely = confidence.mean() if self._beam == 1 and temperature == 0.0 else float("-inf")
            if likely < LOG_PROBABILITY:
                likely, silence = self._judged(hidden, begin, ids)
                if silence > NO_SPEECH and likely < LOG_PROBABILITY:
                    return ""
            if likely >= LOG_PROBABILITY and _compression(text) <= COMPRESSION:
                break
        return text

    def _generated(
        self,
        hidden: BaseModelOutput,
        mark: str,
        begin: list[int],
        temperature: float,
        first: bool,
        confidence: LogitsProcessor,
        trace: Trace,
    ) -> list[int]:
        """Ids of the text after `begin`, without the end."""
        device = self._model.device
        rules = LogitsProcessorList()
        if first and self._not_first:
            rules.append(SuppressTokensAtBeginLogitsProcessor(self._not_first, len(begin), device=str(device)))
        rules.append(confidence)
        if temperature > 0.0:
            torch.manual_seed(self._seed)
        written = self._model.generate(
            encoder_outputs=hidden,
            decoder_input_ids=torch.tensor([begin], device=device),
            logits_processor=rules,
            temperature=temperature,
            num_beams=self._beam,
            # The library adds the length of what is given.
            max_length=LONGEST,
            return_timestamps=False,
            **({"language": mark, "task": "transcribe"} if mark else {}),
        )
        with trace.device_wait():
            ids: list[int] = written[0].tolist()
        return ids

    def _judged(self, hidden: BaseModelOutput, begin: list[int], ids: list[int]) -> tuple[float, float]:
        """The mean log-probability of a text and its end, and the probability that there was no speech."""
        given = torch.tensor([[*begin, *ids]], device=self._model.device)
        logits = self._model(encoder_outputs=hidden, decoder_input_ids=given).logits[0].float()
        wanted = torch.tensor([*ids, self._config.eos_token_id], device=self._model.device)
        likely = logits[len(begin) - 1 :].log_softmax(dim=-1).gather(-1, wanted[:, None]).mean()
        # The mark for no speech stands before the one for no timestamps in every Whisper.
        silence = logits[0].softmax(dim=-1)[self._config.no_timestamps_token_id - 1]
        return float(likely), float(silence)

    def _marks(self, language: str) -> list[int]:
        """Ids before the text."""
        config = self._config
        spoken = [config.lang_to_id[language], config.task_to_id["transcribe"]] if language else []
        return [config.decoder_start_token_id, *spoken, config.no_timestamps_token_id]

    def _language_mark(self, hidden: BaseModelOutput, language: str) -> str:
        """The mark of a language, for example `<|en|>`; empty for models of English only."""
        config = self._config
        if not getattr(config, "is_multilingual", False):
            return ""
        if not language:
            detected = int(self._model.detect_language(encoder_outputs=hidden))
            return next(str(mark) for mark, place in config.lang_to_id.items() if place == detected)
        if f"<|{language}|>" not in config.lang_to_id:
            raise UsageError(
                f"The recogniser's model does not support the language '{language}'. Choose one with asr-language, "
                "for example asr-language=en."
            )
        return f"<|{language}|>"


class _Confidence(LogitsProcessor):  # type: ignore[misc]
    """Changes nothing; keeps the log-probability of each likeliest word, on the device."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores as they are."""
        self._kept.append((scores.max(dim=-1).values - scores.logsumexp(dim=-1))[0])
        return scores

    def mean(self) -> float:
        """Their mean, the end's among them."""
        return float(torch.stack(self._kept).mean())


def _compression(text: str) -> float:
    """How often a text repeats itself: its length over that of its compressed form, in bytes."""
    written = text.encode()
    return len(written) / len(zlib.compress(written))
