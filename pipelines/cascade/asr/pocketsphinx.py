"""PocketSphinx: a small recogniser of US English whose models come with its wheel. It decodes while the user speaks."""

from __future__ import annotations

from typing import Any

import numpy as np

from firstpacket.bench.pipeline import Declaration, Option, Requirement, Speech, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.pcm import pcm16

BLOCK = 320
"""Samples per call, 20 ms. Cepstral means move with each call, so a fixed size makes it all one how frames come."""

PARTIAL = 3200
"""Samples between two reads of the hypothesis, 200 ms; a read costs 0.03 ms."""


class PocketSphinx(ASR):
    """GMM-HMM recogniser of US English with a trigram language model."""

    declaration = Declaration(
        name="pocketsphinx",
        summary="Small GMM-HMM recogniser for US English; decodes while the user speaks.",
        stages=(Stage("asr", "listen", "asr"),),
        options=(
            Option("asr-fast", False, "skip the second pass and the lattice search: faster, less accurate"),
            Option(
                "asr-streaming",
                "native",
                "decode while the user speaks; false decodes at the end: later, but with cepstral means that suit "
                "short utterances",
                choices=("native", "off"),
            ),
        ),
        requires=(Requirement("pocketsphinx", "pocketsphinx"),),
        starts_before_speech_ends=True,
    )

    def load(self) -> None:
        """Start the decoder. Raises `MissingDependency`."""
        sphinx = imported("pocketsphinx", "pocketsphinx", "The recogniser pocketsphinx")
        thorough = not self.settings.switch("asr-fast")
        self._streams = self.settings.text("asr-streaming") == "native"
        self._decoder: Any = sphinx.Decoder(fwdflat=thorough, bestpath=thorough, loglevel="FATAL")

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """Decode block by block as frames arrive; the second pass, if any, comes after the last one."""
        with trace.stage("asr"):
            # The running cepstral mean would carry over from utterance to utterance; this resets it, in 0.1 ms.
            self._decoder.reinit_feat()
            self._decoder.start_utt()
        try:
            if self._streams:
                self._listen(speech, trace)
            else:
                self._listen_to_all(speech, trace)
        finally:
            with trace.stage("asr"):
                self._decoder.end_utt()
                best = self._decoder.hyp()
        return best.hypstr if best else ""

    def weights(self) -> tuple[Weights, ...]:
        """The acoustic and language model inside the wheel."""
        return (Weights("asr", "bundled", "pocketsphinx en-us"),)

    def _listen_to_all(self, speech: Speech, trace: Trace) -> None:
        """Decode at the end, with cepstral means of the whole: running means converge too late for short speech."""
        samples = speech.whole()
        with trace.stage("asr"):
            if len(samples):  # it refuses an empty buffer
                self._decoder.process_raw(pcm16(samples).tobytes(), full_utt=True)

    def _listen(self, speech: Speech, trace: Trace) -> None:
        rest, unsaid, said = np.zeros(0, np.float32), 0, ""
        for frame in speech.frames():
            # Checked before the frame is added: only a later frame shows that speech continued.
            if unsaid >= PARTIAL:
                unsaid, said = 0, self._partial(said, trace)
            with trace.stage("asr"):
                heard = np.concatenate((rest, frame))
                whole = len(heard) - len(heard) % BLOCK
                for start in range(0, whole, BLOCK):
                    self._decoder.process_raw(pcm16(heard[start : start + BLOCK]).tobytes())
                rest = heard[whole:]
            unsaid += len(frame)
        if len(rest):
            with trace.stage("asr"):
                self._decoder.process_raw(pcm16(rest).tobytes())

    def _partial(self, said: str, trace: Trace) -> str:
        """The hypothesis so far; recorded if it differs from `said`."""
        with trace.stage("asr"):
            best = self._decoder.hyp()
        text = str(best.hypstr) if best else ""
        if text != said:
            trace.text("partial", text)
        return text
