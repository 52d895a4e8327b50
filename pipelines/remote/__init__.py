"""What speaks to servers: transports, protocols, and pipelines that are an assistant elsewhere.

address       a server's URL, checked
credentials   what is secret, where it comes from, and how it is kept out of what a server says
problems      a server's error, in any of the usual forms → one line; the outcome of a turn that it ends
transport     one open connection as protocols see it; websocket is one of these
http/         clients of HTTP servers
realtime/     the pipeline `realtime`
chat_audio/   the pipeline `chat-audio`
wyoming/      Home Assistant's protocol, for engines of the cascade
"""
