"""A label is resolved once, and everything else uses the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.command import write_clips
from support.virtual import NoProgress

from firstpacket.bench import registry
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.options import Options, parse_pipeline
from firstpacket.bench.pipeline import Declaration, OptionValue
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import read_run
from firstpacket.bench.run import segment, session
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.resolve import resolve
from firstpacket.bench.timing.clock import VirtualClock

SCRIPT = "hear; tts 2; packet 50"


class OnVirtualTime(InProcessExecutor):
    def __init__(self, system: System, *_: object, **__: object) -> None:
        super().__init__(system, VirtualClock())


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the options of each pipeline are checked."""
    counted: Counter[str] = Counter()
    check = registry.check_options

    def counting(name: str, given: Mapping[str, str | OptionValue]) -> tuple[Declaration, dict[str, OptionValue]]:
        counted[name] += 1
        return check(name, given)

    monkeypatch.setattr(registry, "check_options", counting)
    return counted


def options(*pipelines: str, **others: object) -> Options:
    return Options(pipelines=tuple(map(parse_pipeline, pipelines)), **others)  # type: ignore[arg-type]


def test_a_run_checks_each_label_once(tmp_path: Path, checked: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "ProcessExecutor", OnVirtualTime)
    corpus = write_clips(tmp_path / "clips", count=2)
    asked = options(
        f"a=scripted,script={SCRIPT}", f"b=scripted,script={SCRIPT}", corpus=str(corpus), out=str(tmp_path / "run")
    )
    session.start(asked, ("bench", "run"), NoProgress())
    assert checked == {"scripted": 2}
    assert {turn.outcome for turn in read_run(tmp_path / "run").turns} == {"answered"}


def test_weights_and_matching_add_no_check(checked: Counter[str]) -> None:
    resolved, _ = resolve(options("direct", "cascade", matched=True, weights="dummy"))
    assert checked == {"direct": 1, "cascade": 1}
    direct, cascade = (each.system for each in resolved)
    assert (direct.options["weights"], cascade.options["weights"], cascade.options["matched"]) == (
        "dummy",
        "dummy",
        True,
    )
    assert cascade.options["llm-size"] == direct.options["size"]


def test_the_manifest_records_the_resolved_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "ProcessExecutor", OnVirtualTime)
    corpus = write_clips(tmp_path / "clips", count=1)
    asked = options(
        f"a=scripted,script={SCRIPT}", corpus=str(corpus), out=str(tmp_path / "run"), seed=7, dtype="float16"
    )
    session.start(asked, ("bench", "run"), NoProgress())
    ((resolved,), _) = resolve(asked)
    assert read_run(tmp_path / "run").manifest.labels == (resolved.system,)
    assert (resolved.system.seed, resolved.system.dtype, resolved.system.device) == (7, "float16", "cpu")


def test_finding_the_end_of_speech_needs_realtime_input() -> None:
    with pytest.raises(UsageError, match="file input cuts the clip there"):
        resolve(options("direct,endpoint=vad"))
    ((resolved,), _) = resolve(options("direct,endpoint=vad", input="realtime"))
    assert resolved.system.finds_speech_end


def test_a_system_that_is_told_the_end_of_speech_has_an_advantage_that_is_named() -> None:
    _, notices = resolve(options("cascade,endpoint=vad", "direct", input="realtime"))
    (notice,) = notices
    assert "cascade must wait to find the end of the user's speech, which the corpus tells direct" in notice
    for equal in (("cascade", "direct"), ("cascade,endpoint=vad", "direct,endpoint=vad")):
        assert resolve(options(*equal, input="realtime"))[1] == ()


def test_a_matched_label_with_a_missing_engine_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'pocketsphinx'"):
        resolve(options("direct", "cascade,matched=true,asr=pocketsphynx"))


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(UsageError, match="matched=maybe: expected true or false"):
        resolve(options("direct", "cascade,matched=maybe"))
