"""What counts as audible: a stated level for a stated time, the same for every figure and outcome."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import here
from support.runs import with_options
from support.virtual import make_utterances, virtual_run

from firstpacket.bench.compare.comparable import differences
from firstpacket.bench.config import gather
from firstpacket.bench.corpus.utterance import Corpus
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.audible_onset import AUDIBLE, Audible, audible_onset_ns, reply_levels
from firstpacket.bench.options import Options, bounds, parse_pipeline
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run import new_run

MS = 1_000_000
LOUD, FAINT, QUIET = 0.1, 10 ** (-50 / 20), 10 ** (-70 / 20)
SCRIPT = "hear; asr 40; silence 60; packet 200"
"""60 ms of silence, then a reply; in windows of 10 ms."""


@pytest.mark.parametrize(
    ("levels", "audible", "onset_ms"),
    [
        ([QUIET] * 3 + [LOUD] * 5, AUDIBLE, 30),
        ([LOUD] * 4 + [QUIET] + [LOUD] * 5, AUDIBLE, 50),
        ([LOUD] * 4 + [QUIET] + [LOUD] * 5, Audible(sustained_ms=40), 0),
        ([LOUD] * 4 + [QUIET] + [LOUD] * 5, Audible(sustained_ms=10), 0),
        ([QUIET, FAINT, FAINT, FAINT, FAINT, FAINT, LOUD], AUDIBLE, 60),
        ([QUIET, FAINT, FAINT, FAINT, FAINT, FAINT, LOUD], Audible(dbfs=-60), 10),
        ([FAINT] * 50, AUDIBLE, None),
        ([LOUD] * 50, Audible(dbfs=-10), None),
        ([], AUDIBLE, None),
    ],
)
def test_the_onset_by_level_and_length(levels: list[float], audible: Audible, onset_ms: int | None) -> None:
    assert audible_onset_ns(levels, audible) == (None if onset_ms is None else onset_ms * MS)


def test_a_level_equal_to_the_threshold_is_not_audible() -> None:
    assert audible_onset_ns([10 ** (-40 / 20)] * 9, AUDIBLE) is None
    assert audible_onset_ns([10 ** (-39.99 / 20)] * 9, AUDIBLE) == 0


def test_levels_are_the_rms_of_ten_milliseconds_across_packets() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(24_000 // 10) / 24_000)).astype(np.float32)
    levels = reply_levels([(tone[:100], 24_000), (tone[100:], 24_000)])
    assert len(levels) == 10
    assert levels == pytest.approx([0.5 / np.sqrt(2)] * 10, rel=1e-4)


def test_a_detector_describes_itself() -> None:
    assert str(AUDIBLE) == "RMS over -40 dBFS sustained for 50 ms, in windows of 10 ms"
    assert str(Audible(-52.5, 100)).startswith("RMS over -52.5 dBFS sustained for 100 ms")


def options(audible: Audible) -> dict[str, Any]:
    return {"audible_dbfs": audible.dbfs, "audible_ms": audible.sustained_ms}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[Audible, Path]:
    """The same scripted turns, heard in three ways."""
    folder = tmp_path_factory.mktemp("heard")
    heard = (AUDIBLE, Audible(sustained_ms=250), Audible(dbfs=0.0))
    return {
        each: virtual_run(folder / str(number), {"a": SCRIPT}, audible_dbfs=each.dbfs, audible_ms=each.sustained_ms)
        for number, each in enumerate(heard)
    }


def test_evidence_is_read_with_the_detector_options_of_its_run(runs: dict[Audible, Path]) -> None:
    for audible, path in runs.items():
        run = read_run(path)
        assert Audible.of(run.manifest.options) == audible
        assert all(Audible.of(run.evidence(turn).options) == audible for turn in run.turns)
        assert b"audible" not in (path / "traces.jsonl").read_bytes(), "it is on record once"


def test_figures_and_outcomes_follow_the_detector_options(runs: dict[Audible, Path]) -> None:
    outcomes = [{turn.outcome for turn in read_run(path).turns} for path in runs.values()]
    assert outcomes == [{"answered"}, {"answered"}, {"silent"}], "200 ms that last to the end count as sustained"
    usual, _, nothing = (read_run(path).turns[0].figures for path in runs.values())
    assert usual["leading_silence"] == 60 * MS
    assert usual["response_latency"] == usual["first_packet_latency"] + 60 * MS
    assert "response_latency" not in nothing


def test_figures_are_derived_again_to_the_bit(runs: dict[Audible, Path]) -> None:
    for path in runs.values():
        assert recompute(read_run(path)).equal


def test_other_detector_options_give_other_figures(runs: dict[Audible, Path]) -> None:
    run = read_run(runs[AUDIBLE])

    class Otherwise(Run):
        def evidence(self, turn: Any) -> Evidence:
            return with_options(run.evidence(turn), audible_dbfs=0.0)

    found = recompute(Otherwise(**{item.name: getattr(run, item.name) for item in fields(Run) if item.init}))
    assert {each.figure for each in found.differences} == {"response_latency", "leading_silence"}


def test_a_run_without_detector_options_has_the_default_ones(runs: dict[Audible, Path], tmp_path: Path) -> None:
    for name in ("manifest.json", "segments.jsonl", "turns.jsonl", "traces.jsonl"):
        (tmp_path / name).write_bytes((runs[AUDIBLE] / name).read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["options"]["audible_dbfs"], manifest["options"]["audible_ms"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert Audible.of(read_run(tmp_path).manifest.options) == AUDIBLE


@pytest.mark.parametrize("damage", [{"audible_dbfs": 1e18}, {"audible_ms": 0}])
def test_resume_refuses_damaged_detector_options(
    runs: dict[Audible, Path], tmp_path: Path, damage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("manifest.json", "segments.jsonl", "turns.jsonl", "traces.jsonl"):
        (tmp_path / name).write_bytes((runs[AUDIBLE] / name).read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["options"].update(damage)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    corpus = Corpus("made", "made", make_utterances(3), manifest["corpus_sha256"])
    monkeypatch.setattr(new_run, "load_corpus", lambda *_, **__: corpus)
    done = here("run", "--resume", tmp_path)
    assert done.returncode == 3 and "The run folder is damaged" in done.stderr and "--audible-" in done.stderr


def test_runs_with_other_detector_options_are_not_compared(runs: dict[Audible, Path]) -> None:
    usual, longer, _ = (read_run(path) for path in runs.values())
    assert differences(usual, usual) == ()
    (said,) = differences(usual, longer)
    assert said == "thresholds for an audible reply differ (audible-ms: 50 and 250)"


def test_options_and_schema_have_the_same_defaults() -> None:
    assert Audible(Options().audible_dbfs, Options().audible_ms) == AUDIBLE


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"audible_dbfs": 0.5}, r"--audible-dbfs 0\.5: must be between -100 and 0"),
        ({"audible_dbfs": -101.0}, r"--audible-dbfs -101: must be"),
        ({"audible_dbfs": float("nan")}, "finite|must be"),
        ({"audible_ms": 0}, r"--audible-ms 0: must be between 10 and 1000"),
        ({"audible_ms": 1010}, r"--audible-ms 1010: must be"),
        ({"audible_ms": 55}, r"--audible-ms 55: must be a multiple of 10"),
    ],
)
def test_impossible_detector_options_are_refused(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gather({"pipelines": (parse_pipeline("scripted"),), **flags}, None)


def test_bounds_are_multiples_of_the_window() -> None:
    assert all(bound % 10 == 0 for bound in bounds("audible_ms"))


def test_the_command_line_sets_the_detector_options(tmp_path: Path) -> None:
    refused = here("run", "-p", "scripted", "--audible-ms", "7")
    assert refused.returncode == 2 and "--audible-ms 7" in refused.stderr
    script = "scripted,script=hear; packet 100"
    run = ("run", "-p", script, "--limit", "1", "--warmup", "0", "--no-report", "--no-keep-audio")
    done = here(*run, "--out", tmp_path / "run", "--audible-dbfs", "-0.5", "--audible-ms", "20")
    assert "No turn of scripted was answered" in done.stderr, "its tone is fainter than that"
    found = read_run(tmp_path / "run")
    assert Audible.of(found.manifest.options) == Audible(-0.5, 20)
    assert {turn.outcome for turn in found.turns} == {"silent"}
