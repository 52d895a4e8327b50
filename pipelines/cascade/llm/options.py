"""Options shared by all language models: system text, length of the reply, sampling."""

from __future__ import annotations

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Option, Settings

SYSTEM = "You are a helpful voice assistant. Answer in one or two short spoken sentences."
"""The system text; dummy weights use LLaMA-Omni's instead, so that both pipelines have the same prompt."""

MAX_TOKENS = Option("llm-max-tokens", 128, "maximum length of a reply, in tokens")
MIN_TOKENS = Option("llm-min-tokens", 0, "minimum length of a reply, in tokens")
TEMPERATURE = Option("llm-temperature", 0.0, "sampling temperature; 0 is greedy")
HOTTEST = 100.0
"""Far above this all tokens are equally likely, and servers do not accept infinity."""

TOP_P = Option("llm-top-p", 1.0, "nucleus sampling: cumulative probability considered")


def check(settings: Settings) -> None:
    """Raises `UsageError` for invalid values of these options."""
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
