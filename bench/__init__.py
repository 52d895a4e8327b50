"""firstpacket: latency benchmarks for voice assistants, stage by stage, to the first audio packet."""

__version__ = "0.1.0"
