"""The weights in the repository: they are complete, and both direct models answer with them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from support.tiny_whisper import Clip

from firstpacket.bench import registry
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.quality.answers import is_right
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.models.cache import CACHE
from firstpacket.pipelines.weights import store

CLIPS = 4


def test_every_file_is_what_was_packed() -> None:
    found = store.find()
    assert found.read(found.digests).files.keys() == found.digests.keys()


@pytest.mark.parametrize("context", ["full", "streaming"])
def test_the_direct_model_answers(context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the first clips, so that it is no accident; how many of all is in the model card."""
    monkeypatch.setenv(CACHE, str(tmp_path))
    clips = load_corpus("small-world").utterances[:CLIPS]
    given = {"encoder-context": context}
    options = registry.checked_options("direct", Direct.declare(given).options, given)
    model, right = Direct(Settings(options=options)), 0
    model.load()
    for clip in clips:
        trace = Trace(MonotonicClock())
        packets = list(model.respond(Clip(clip.speech(), 320), trace))
        right += bool(packets) and is_right(clip.answer_rule, reply_text(trace.finish()), clip.answers) is True
    assert right >= CLIPS - 1
