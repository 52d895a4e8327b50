"""A language model behind any server that speaks OpenAI's chat completions, over `pipelines.remote.http`.

engine       the engine: one request per turn, its marks, its outcome
loading      what is learned of the server before the first turn, with
fields         the request, and what the server accepts of it
about          what the server says of itself
reply        chunks → pieces of the answer, their marks, and why there may be none
thoughts     a reply → its answer, without the reasoning before it
"""

from firstpacket.pipelines.cascade.llm.openai.engine import OpenAIServer

__all__ = ["OpenAIServer"]
