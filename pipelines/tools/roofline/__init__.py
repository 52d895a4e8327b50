"""`bench roofline`: the first packet as measured, over what the machine's bandwidth and arithmetic alone would take."""

from firstpacket.pipelines.tools.roofline.command import command

__all__ = ["command"]
