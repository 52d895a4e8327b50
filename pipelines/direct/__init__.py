"""Direct speech-to-speech models as pipelines. Importing this package loads no model library."""

from firstpacket.pipelines.direct.plugin import Direct

__all__ = ["Direct"]
