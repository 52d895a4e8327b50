"""A voice behind any server with OpenAI's speech endpoint, over `pipelines.remote.http`.

engine      the engine: one request per phrase, its marks, its outcome
request     the forms of a request, of which a server takes one
speech      an answer → samples as they arrive
"""

from firstpacket.pipelines.cascade.tts.openai.engine import OpenAIVoice

__all__ = ["OpenAIVoice"]
