"""A recogniser behind any server with OpenAI's transcription endpoint, over `pipelines.remote.http`.

engine      the engine: one request per turn, its marks, its outcome
transcript  an answer → the transcript, in whichever dialect it comes
"""

from firstpacket.pipelines.cascade.asr.openai.engine import OpenAIRecogniser

__all__ = ["OpenAIRecogniser"]
