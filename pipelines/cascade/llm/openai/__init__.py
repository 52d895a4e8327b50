"""A language model behind any server that speaks OpenAI's chat completions.

engine       the engine: one request per turn, its marks, its outcome
fields       what the server was found to accept, tried at loading
connection   one connection, which a cancelled turn can break off
events       bytes → server-sent events
chunks       an event → what it says of the reply
thoughts     a reply → its answer, without the reasoning before it
problems     a server's error, in any of the usual forms → one line
"""

from firstpacket.pipelines.cascade.llm.openai.engine import OpenAIServer

__all__ = ["OpenAIServer"]
