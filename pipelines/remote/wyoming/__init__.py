"""Wyoming, the protocol of Home Assistant's voice chain: one server for each of recogniser, agent and voice.

address      a server's URI, checked
protocol     the framing, without I/O: bytes → events, an event → bytes
info         what a server says of itself: its programs, their models and abilities
audio        samples → 16-bit PCM, and back, checked
transport    a TCP or unix connection: bytes with the time at which they were received
connection   events over a transport, recorded in the turn's trace
client       one server through a run: described, connected before every turn, left when a turn breaks off
"""
