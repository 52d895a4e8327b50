"""A language model behind any server that speaks OpenAI's chat completions.

engine       the engine: one request per turn, its marks, its outcome
address      its URL and key, checked
loading      what is learned of the server before the first turn, with
fields         the request, and what the server accepts of it
about          what the server says of itself
connection   one connection, which a cancelled turn can break off
events       bytes → server-sent events
chunks       an event → what it says of the reply
reply        chunks → pieces of the answer, their marks, and why there may be none
thoughts     a reply → its answer, without the reasoning before it
key          keeps the key out of what a server says
problems     a server's error, in any of the usual forms → one line
"""

from firstpacket.pipelines.cascade.llm.openai.engine import OpenAIServer

__all__ = ["OpenAIServer"]
