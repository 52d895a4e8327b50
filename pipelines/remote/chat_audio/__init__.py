"""The pipeline `chat-audio`: chat completions with audio in and audio out, over `pipelines.remote.http`.

plugin      the pipeline: one request per turn, its stages, its outcome
request     speech → the request, and the forms of which a server takes one
reply       chunks → samples, and why there may be none
"""

from firstpacket.pipelines.remote.chat_audio.plugin import ChatAudio

__all__ = ["ChatAudio"]
