"""Compare the measured first packet with the machine's lower bound."""

from firstpacket.pipelines.tools.roofline.command import command

__all__ = ["command"]
