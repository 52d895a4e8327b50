"""What every language model is asked alike: how it is spoken to, how long it answers, how it chooses."""

from __future__ import annotations

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Option, Settings

SYSTEM = "You are a helpful voice assistant. Answer in one or two short spoken sentences."
"""The system text; dummy weights are given LLaMA-Omni's instead, so that the prompts are alike."""

MAX_TOKENS = Option("llm-max-tokens", 128, "longest reply, in tokens")
MIN_TOKENS = Option("llm-min-tokens", 0, "tokens before which no reply ends")
TEMPERATURE = Option("llm-temperature", 0.0, "0 chooses the likeliest token; above 0 samples")
HOTTEST = 100.0
"""Far above this all tokens are equally likely; infinity is no number that a server takes."""

TOP_P = Option("llm-top-p", 1.0, "share of probability that sampling considers")


def check(settings: Settings) -> None:
    """Raises `UsageError` for values of these options that no model could follow."""
    longest, fewest = settings.whole("llm-max-tokens"), settings.whole("llm-min-tokens")
    ranges = {
        "llm-max-tokens": (longest >= 1, "1 or more"),
        "llm-min-tokens": (0 <= fewest <= longest, f"0 or more, and at most llm-max-tokens ({longest})"),
        "llm-temperature": (0.0 <= settings.number("llm-temperature") <= HOTTEST, f"between 0 and {HOTTEST:g}"),
        "llm-top-p": (0.0 < settings.number("llm-top-p") <= 1.0, "above 0 and at most 1"),
    }
    for name, (holds, allowed) in ranges.items():
        if not holds:
            raise UsageError(f"{name} is {settings.options[name]}, but it must be {allowed}.")
