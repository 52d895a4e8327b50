"""Causal language models through Hugging Face transformers, with dummy weights when none are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.pipeline import Declaration, Option, OptionValue, Requirement, Stage, Weights
from bench.timing.trace import Trace
from pipelines.cascade.engines import LLM, imported

if TYPE_CHECKING:
    from pipelines.cascade.llm.decoding import Greedy

DTYPES = ("float32", "bfloat16", "float16")


class TransformersLM(LLM):
    """Greedy decoding with a key/value cache, one sequence at a time."""

    declaration = Declaration(
        name="transformers",
        kind="llm",
        summary="Causal language model through transformers; dummy weights unless a model is given.",
        stages=(Stage("llm.prefill", "think"), Stage("llm.decode", "think")),
        options=(
            Option(
                "llm-weights",
                "dummy",
                "dummy (seeded random values, canned reply) or published (needs llm-model, which implies it)",
                choices=("dummy", "published"),
            ),
            Option("llm-size", "tiny", "size of the dummy model", choices=("tiny", "1b", "8b")),
            Option("llm-model", "", "folder of a published model, or the hub name of one fetched before"),
            Option("llm-max-tokens", 128, "longest reply, in tokens"),
        ),
        requires=tuple(
            Requirement(module, "transformers") for module in ("torch", "transformers", "tokenizers", "safetensors")
        ),
        gpu="optional",
    )

    def load(self) -> None:
        """Build or read the model. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        settings = self.settings
        model, weights = settings.text("llm-model"), settings.text("llm-weights")
        if settings.dtype not in DTYPES:
            raise UsageError(f"dtype is '{settings.dtype}', but the language model runs in {', '.join(DTYPES)}.")
        if settings.whole("llm-max-tokens") < 1:
            raise UsageError(f"llm-max-tokens is {settings.options['llm-max-tokens']}, but it must be 1 or more.")
        if weights == "published" and not model:
            raise UsageError(
                "llm-weights=published needs a model. Give its folder with llm-model=PATH, or use llm-weights=dummy."
            )
        for module in ("torch", "transformers", "tokenizers"):
            imported(module, "transformers", "The language model engine transformers")
        self._greedy, self._weights = self._read(model) if model else self._make()

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Answer greedily until a stop token or `llm-max-tokens`."""
        return self._greedy.reply(text, trace)

    def close(self) -> None:
        """Let go of the model."""
        with suppress(AttributeError):
            del self._greedy

    def weights(self) -> tuple[Weights, ...]:
        """Where the model came from."""
        return (self._weights,)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model's size."""
        return {"llm_parameters": self._greedy.parameters}

    def _make(self) -> tuple[Greedy, Weights]:
        from pipelines.cascade.llm import dummy

        size, seed = self.settings.text("llm-size"), self.settings.seed
        greedy = dummy.build(size, seed, self.settings.device, self.settings.dtype, self._longest())
        return greedy, Weights("llm", "dummy", f"seed {seed}, size {size}", f"{greedy.parameters / 1e6:.1f} M values")

    def _read(self, model: str) -> tuple[Greedy, Weights]:
        from pipelines.cascade.llm import published

        greedy = published.read(model, self.settings.device, self.settings.dtype, self._longest())
        return greedy, Weights("llm", "published", model, f"{greedy.parameters / 1e6:.1f} M values")

    def _longest(self) -> int:
        return self.settings.whole("llm-max-tokens")
