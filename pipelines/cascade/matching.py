"""Matches a cascade to the direct pipeline: the same language model, replies of the same length, the same encoder. What
remains is the architecture: a transcript or embeddings before the language model, text or states after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Match, OptionValue
from firstpacket.pipelines.weights import kinds

ENCODERS = {"tiny": "micro", "1b": "large-v3", "8b": "large-v3"}
"""By size of the direct pipeline's dummy: the Whisper that has its encoder."""

WHISPERS = ("transformers", "faster-whisper", "openai-whisper")
ARCHITECTURE = (
    "the recogniser's decoder (cascade only)",
    "the language model's input (text of a transcript, or embeddings of speech)",
    "the voice (text-to-speech, or a speech decoder with a vocoder)",
)

_HEARD = "what the encoder hears (direct: encoder-context={}; the recogniser: 30 s)"


def match_direct(chosen: Mapping[str, OptionValue], direct: Mapping[str, OptionValue]) -> Match:
    """How to match a cascade with the options `chosen` to `direct` with all its options.

    Raises `UsageError` for a recogniser without such an encoder, a language model on a server, or an explicit model
    where direct has a dummy.
    """
    asr, llm = str(chosen.get("asr", WHISPERS[0])), str(chosen.get("llm", "transformers"))
    if asr not in WHISPERS or llm != "transformers":
        raise UsageError(
            f"A cascade with asr={asr} and llm={llm} cannot be matched to direct, which has a Whisper encoder and a "
            f"local language model. Use asr={'|'.join(WHISPERS)} and llm=transformers."
        )
    options: dict[str, OptionValue] = {
        "asr": asr,
        "llm": llm,
        "llm-max-tokens": direct["max-new-tokens"],
        "llm-temperature": direct["temperature"],
        "llm-top-p": direct["top-p"],
    }
    same, context = ("longest reply", "sampling"), direct["encoder-context"]
    different = ARCHITECTURE if context == "full" else (_HEARD.format(context), *ARCHITECTURE)
    if direct["weights"] == kinds.DEMO:
        return _demo(chosen, options, same, different, own_encoder=context == "streaming")
    if direct["weights"] != kinds.DUMMY:
        return Match(options, same, ("encoder and language model (each with its own published weights)", *different))
    size = str(direct["size"])
    _refuse_models(chosen, f"dummy weights of the size {size}")
    options |= {"asr-weights": "dummy", "asr-size": ENCODERS[size], "llm-weights": "dummy", "llm-size": size}
    encoder = f"the encoder's dimensions (Whisper {ENCODERS[size]})"
    return Match(
        options, (f"the language model's dimensions ({size})", "the reply, word for word", encoder, *same), different
    )


def _demo(
    chosen: Mapping[str, OptionValue],
    options: dict[str, OptionValue],
    same: tuple[str, ...],
    different: tuple[str, ...],
    own_encoder: bool,
) -> Match:
    """Beside the demo weights of direct: the language model that its own was made of, and its encoder.

    With `own_encoder` the direct model's encoder was trained further, to hear speech in blocks.
    """
    _refuse_models(chosen, "the demo weights")
    options |= {"asr-weights": kinds.DEMO, "llm-weights": kinds.DEMO}
    learnt = "the language model's last training stage (answering text, or speech)"
    encoder = "the encoder's dimensions" if own_encoder else "the encoder, weight for weight"
    return Match(options, (encoder, "the language model's dimensions", *same), (learnt, *different))


def _refuse_models(chosen: Mapping[str, OptionValue], direct: str) -> None:
    """Raises `UsageError` for a model that was named."""
    for part in ("asr-model", "llm-model"):
        if chosen.get(part):
            raise UsageError(
                f"direct runs on {direct}, and {part}={chosen[part]} is a different model. Remove {part}, or give "
                "direct published weights."
            )
