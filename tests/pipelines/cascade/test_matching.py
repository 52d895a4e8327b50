"""Matched labels really match: the dummies of both architectures compared."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.cascade.matching import ENCODERS, match_direct
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.models.whisper_sizes import SIZES


@pytest.mark.parametrize("size", dummy.SIZES)
def test_the_encoder_is_that_of_the_direct_model(size: str) -> None:
    encoder, whisper = dummy.config(size).encoder, SIZES[ENCODERS[size]]
    assert (encoder.mels, encoder.positions, encoder.state, encoder.heads, encoder.layers) == (
        whisper.mels,
        whisper.positions,
        whisper.state,
        whisper.heads,
        whisper.layers,
    )


def direct(**changed: str) -> dict[str, OptionValue]:
    options = {option.name: option.default for option in Direct.declaration.options}
    return options | {name.replace("_", "-"): value for name, value in changed.items()}


def test_what_the_encoder_hears_is_no_part_of_the_match() -> None:
    full, streaming = (match_direct({}, direct(encoder_context=context)) for context in ("full", "streaming"))
    assert "the encoder, weight for weight" in full.same
    assert "the encoder's dimensions" in streaming.same
    assert streaming.options == full.options
    heard = set(streaming.different) - set(full.different)
    assert heard == {"what the encoder hears (direct: encoder-context=streaming; the recogniser: 30 s)"}
