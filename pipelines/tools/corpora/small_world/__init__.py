"""The small world: a few hundred facts, asked for in everyday words, so that a very small model can know them all.

Questions and responses are as in InstructS2S-200K (LLaMA-Omni, arXiv:2409.06666, section 3): speech-like, brief,
numbers as words, nothing that cannot be said aloud.
"""

from __future__ import annotations

from firstpacket.pipelines.tools.corpora.small_world import animals, dates, numbers, things
from firstpacket.pipelines.tools.corpora.small_world.topic import Topic, sentence

TOPICS: tuple[Topic, ...] = (*numbers.TOPICS, *dates.TOPICS, *things.TOPICS, *animals.TOPICS)

__all__ = ["TOPICS", "Topic", "sentence"]
