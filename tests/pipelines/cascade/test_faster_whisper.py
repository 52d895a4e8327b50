"""faster-whisper's use of its library and its errors; transcripts are tested in test_asr_whisper.py."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import MissingDependency, UsageError
from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper


class Heard:
    """A whole utterance of 10 ms."""

    sample_rate = 16_000
    language = "en-US"

    def whole(self) -> Samples:
        return np.ones(160, np.float32)

    def frames(self) -> Iterator[Samples]:
        yield self.whole()


def engine(**options: Any) -> FasterWhisper:
    defaults = {option.name: option.default for option in FasterWhisper.declaration.options}
    return FasterWhisper(Settings(options={**defaults, "asr-weights": "dummy", **options}))


def test_the_span_covers_the_lazy_work() -> None:
    clock = VirtualClock()
    asked: dict[str, Any] = {}

    class Lazy:
        def transcribe(self, samples: Samples, **options: Any) -> Any:
            asked.update(options, samples=samples)

            def segments() -> Iterator[SimpleNamespace]:
                for text in (" one", " two "):
                    clock.advance(5_000_000)
                    yield SimpleNamespace(text=text)

            return segments(), None

    made = engine(**{"asr-beam": 4})
    made._model = Lazy()
    trace = Trace(clock)
    assert made.transcribe(Heard(), trace) == "one two"
    (span,) = trace.finish().spans
    assert (span.stage, span.end_ns - span.start_ns) == ("asr", 10_000_000)
    assert (asked["language"], asked["beam_size"], asked["temperature"]) == ("en", 4, 0.0)
    assert not asked["condition_on_previous_text"]
    assert asked["without_timestamps"]
    assert len(asked["samples"]) == 30 * 16_000
    assert not asked["samples"][160:].any(), "silence follows up to a whole window"


@pytest.mark.parametrize("name", ["asr-beam", "asr-interval"])
def test_numbers_below_one(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is 0"):
        engine(**{name: 0}).load()


def test_published_weights_without_a_model() -> None:
    with pytest.raises(UsageError, match="asr-model=FOLDER"):
        engine(**{"asr-weights": "published"}).load()


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> Any:
        raise ImportError(f"No module named '{module}'")

    monkeypatch.setattr("firstpacket.pipelines.optional.importlib.import_module", absent)
    with pytest.raises(MissingDependency, match=r"pip install .*\[transformers\]'"):
        engine().load()
