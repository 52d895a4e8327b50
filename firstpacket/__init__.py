"""firstpacket: latency benchmarks for voice assistants, stage by stage, to the first audio packet.

The one import name of the project. `firstpacket.bench` is the harness, `firstpacket.pipelines` the pipelines that come
with it; in a checkout both are links to the folders of that name beside this one.
"""

__version__ = "0.1.0"
