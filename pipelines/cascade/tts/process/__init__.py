"""A voice in a process of its own, for engines that cannot share the others' environment."""

from firstpacket.pipelines.cascade.tts.process.client import HOP, OPTIONS, OwnProcess, asks_for_own

__all__ = ["HOP", "OPTIONS", "OwnProcess", "asks_for_own"]
