"""A voice in a process of its own, for engines that cannot share the others' environment."""

from firstpacket.pipelines.cascade.tts.process.client import HOP, OPTIONS, VoiceProcess, wants_own_process

__all__ = ["HOP", "OPTIONS", "VoiceProcess", "wants_own_process"]
