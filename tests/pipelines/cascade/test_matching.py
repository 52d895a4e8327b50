"""Matched labels really match: the dummies of both architectures compared."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from firstpacket.pipelines.cascade.matching import ENCODERS
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
