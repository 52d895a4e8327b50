"""HTTP servers: one connection each, with a one-line reason for every failure, and no secret in any record.

options      the options of whatever uses a server, and what they and the environment say
server       one server: connects before a turn, sends requests, explains failures
connection     one connection, over TLS and a proxy where needed, with stamps of all that passes
answer         a response as it arrives
recording      its messages, for the trace
forms        the forms of a request, of which a server takes one
sound        samples → WAV; bytes of audio → samples
events       bytes → server-sent events
chat         an event of a chat completion → what it says of the reply
"""
