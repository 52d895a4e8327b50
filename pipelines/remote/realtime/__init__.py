"""The pipeline `realtime`: OpenAI's Realtime API over a WebSocket, and its dialects.

plugin       the pipeline: options, threads, packets
options      what a user may choose, checked
sessions     one for each turn or one for the run: made before a turn, left properly
connection   an open session: connecting, sending, a record of every message
dialect      what differs between servers, read from dialects.toml
session      the session that is asked for, and what a server made of it
events       a server's message, checked
turn         messages → whether the turn is over, and how it ended (pure)
timeline     messages → stages, marks, texts, the server's own figures (pure)
audio        resampling, PCM and G.711
"""

from firstpacket.pipelines.remote.realtime.plugin import Realtime

__all__ = ["Realtime"]
