"""The cascade: recogniser, language model and voice, one after the other. Importing it loads no model library."""

from firstpacket.pipelines.cascade.plugin import Cascade

__all__ = ["Cascade"]
