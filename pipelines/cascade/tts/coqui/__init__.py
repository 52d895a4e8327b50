"""Coqui TTS: the voices VITS and XTTS. Importing it loads no model library."""

from firstpacket.pipelines.cascade.tts.coqui.engine import Coqui

__all__ = ["Coqui"]
