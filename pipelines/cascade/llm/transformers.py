"""Causal language models in Hugging Face's layout, with dummy weights when none are given.

Plain Llamas run on the direct pipeline's decoder (`pipelines/models`), so that both architectures are equally fast at
the same work; every other model goes through the forward pass of transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Requirement, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import LLM
from firstpacket.pipelines.cascade.llm import options
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.weights import kinds

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.llm.factory import Loaded

DTYPES = ("float32", "bfloat16", "float16")


class TransformersLM(LLM):
    """One sequence at a time over a key/value cache of fixed size."""

    declaration = Declaration(
        name="transformers",
        summary="Causal language model in Hugging Face's layout; by default the small demo model or a dummy.",
        stages=(Stage("llm.prefill", "think", "llm"), Stage("llm.decode", "think", "llm")),
        options=(
            Option(
                "llm-weights",
                kinds.DEFAULT,
                "demo (trained, small), dummy (random values, canned reply), or published (implied by llm-model)",
                choices=(kinds.DEMO, kinds.DUMMY, "published"),
            ),
            Option("llm-size", "tiny", "size of the dummy model", choices=("tiny", "1b", "8b")),
            Option("llm-model", "", "folder of a published model, hub name of one already downloaded, or demo"),
            Option(
                "llm-decoder",
                "auto",
                "own (the direct pipeline's decoder, plain Llamas only), transformers (its forward pass), or auto: "
                "own if possible",
                choices=("auto", "own", "transformers"),
            ),
            Option("llm-context", 1024, "size of the key/value cache: prompt plus reply, in tokens"),
            options.MAX_TOKENS,
            options.MIN_TOKENS,
            options.TEMPERATURE,
            options.TOP_P,
            Option("llm-cuda-graphs", True, "on CUDA, with the own decoder: replay each token's step as a CUDA graph"),
            Option("llm-compile", False, "on CUDA, with llm-cuda-graphs: compile that step with torch.compile"),
        ),
        requires=tuple(
            Requirement(module, "transformers") for module in ("torch", "transformers", "tokenizers", "safetensors")
        ),
        gpu="optional",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._loaded: Loaded | None = None

    def load(self) -> None:
        """Build or read the model. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        _check(self.settings)
        for module in ("torch", "transformers", "tokenizers"):
            imported(module, "transformers", "The language model engine transformers")
        from firstpacket.pipelines.cascade.llm import dummy, published

        load = {"demo": published.load_demo, "dummy": dummy.load, "published": published.load}[_origin(self.settings)]
        self._loaded = load(self.settings)

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Answer until a token that ends a reply, or `llm-max-tokens`.

        Raises `UsageError` for a text longer than the cache, and `WeightsError` when memory runs out.
        """
        ready = self._ready()
        with ready.room.explained("answering"):
            yield from ready.writer.reply(text, trace)

    def close(self) -> None:
        """Release the model."""
        self._loaded = None

    def weights(self) -> tuple[Weights, ...]:
        """Where the model came from."""
        return (self._ready().weights,)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model's size, and by which decoder it is run."""
        return self._ready().facts

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise RuntimeError("call load() first")
        return self._loaded


def _origin(settings: Settings) -> kinds.Origin:
    return kinds.origin(settings.text("llm-weights"), settings.text("llm-model"))


def _check(settings: Settings) -> None:
    """Raises `UsageError` for invalid combinations of options."""
    options.check(settings)
    model, origin = settings.text("llm-model"), _origin(settings)
    if settings.dtype not in DTYPES:
        raise UsageError(f"dtype is '{settings.dtype}', but the language model runs in {', '.join(DTYPES)}.")
    if origin == "published" and not model:
        raise UsageError("llm-weights=published needs a model. Set llm-model=FOLDER, or use llm-weights=dummy.")
    if origin != kinds.DUMMY and settings.text("llm-size") != "tiny":
        raise UsageError(
            f"llm-size is '{settings.text('llm-size')}', but only dummy weights come in several sizes. Remove "
            "llm-size, or remove llm-model and llm-weights."
        )
    if origin == kinds.DUMMY and settings.whole("llm-min-tokens"):
        raise UsageError("llm-min-tokens has no effect with dummy weights, whose reply is fixed. Remove it.")
    if settings.switch("llm-compile") and not settings.device.startswith("cuda"):
        raise UsageError(f"llm-compile has no effect on {settings.device}. Remove it, or run with --device cuda.")
    if settings.switch("llm-compile") and not settings.switch("llm-cuda-graphs"):
        raise UsageError("llm-compile needs llm-cuda-graphs. Remove llm-compile, or leave llm-cuda-graphs on.")
