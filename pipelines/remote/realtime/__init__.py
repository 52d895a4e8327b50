"""The pipeline `realtime`: OpenAI's Realtime API over a WebSocket, and its dialects.

plugin       the pipeline: options, threads, packets
options      what a user may choose, checked
sessions     one for each turn or one for the run: opened before a turn, closed properly
connection   an open session: connecting, configuring it, sending, a record of every message
dialect      what differs between servers, read from dialects.toml
session      the session that is requested, and what the server did not apply
events       a server's message, checked
turn         messages → whether the turn is over, and how it ended (pure)
timeline     messages → stages, marks, texts, server figures (pure)
audio        resampling, PCM and G.711
"""

from firstpacket.pipelines.remote.realtime.plugin import Realtime

__all__ = ["Realtime"]
