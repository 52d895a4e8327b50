"""Usage limits end a run between pairs, pace its turns, and are reported; whole runs on virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.runs import make_facts, make_manifest, make_run, make_segment, make_system, write_run
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest
from typer.testing import CliRunner

from firstpacket.bench.cli import application
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import RunError, UnknownName, UsageError
from firstpacket.bench.metrics.usage_limits import in_force
from firstpacket.bench.options import MAX_TURNS, Options
from firstpacket.bench.record.rules import StoppingRule, UsageLimits
from firstpacket.bench.record.schema import LabelFacts, Manifest, Segment, TurnResult
from firstpacket.bench.record.store import LIMIT, Run, RunWriter, read_run
from firstpacket.bench.run import session
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.segment import usage_limits
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.timing.clock import VirtualClock

MS, MINUTE = 1_000_000, 60_000 * 1_000_000
SCRIPT = "hear; tts 100; packet 900"
SCRIPTS = {"server": SCRIPT, "local": SCRIPT, "other": SCRIPT}
SERVERS = ("server", "other")
CLIPS = make_utterances(4, 0.2)
"""Each lasts 0.3 s, and a reply 0.9 s."""


class Dying(InProcessExecutor):
    """Its process is gone after the turn `dies_after`."""

    dies_after = 0

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        result = super().run(turn, utterance, config, keep_audio)
        if turn == self.dies_after:
            self._pipeline = None
        return result


def measured(
    path: Path,
    limits: UsageLimits | None,
    scripts: dict[str, str] = SCRIPTS,
    dies: tuple[str, int] = ("", 0),
    **changes: Any,
) -> Run:
    """A run within the limits, or what is left of the one in `path`: two passes over the clips, warm-up 1."""
    clock, before = VirtualClock(), read_run(path) if path.exists() else None
    what = before.manifest if before else scripted_manifest(scripts, CLIPS, **{"turns": 8, "warmup": 1, **changes})
    executors = {label: Dying(make_scripted(label, script), clock) for label, script in scripts.items()}
    if dies[0]:
        executors[dies[0]].dies_after = dies[1]

    def segment(number: int, labels: tuple[LabelFacts, ...]) -> Segment:
        return make_segment(number, labels, usage_limits=limits)

    with RunWriter.resume(path) if before else RunWriter.create(path, what) as writer:
        manager = Manager(what, writer, executors, CLIPS, NoProgress(), clock=clock)
        manager.run(before.turns if before else (), segment, len(before.segments) if before else 0)
    return read_run(path)


def used(run: Run) -> int:
    return sum(turn.label in SERVERS for turn in run.turns)


def pairs(run: Run) -> list[int]:
    """How many turns each pair has."""
    return list(Counter(turn.pair_key for turn in run.measured()).values())


@pytest.mark.parametrize(("turns", "complete"), [(28, 8), (20, 8), (19, 7), (14, 5), (13, 4), (6, 1), (5, 0), (4, 0)])
def test_the_limit_of_turns_ends_a_run_between_pairs(tmp_path: Path, turns: int, complete: int) -> None:
    """Two systems with servers have four turns before the pairs, and two in each of eight."""
    run = measured(tmp_path / "run", UsageLimits(SERVERS, turns))
    assert pairs(run) == [3] * complete
    assert used(run) == 4 + 2 * complete <= turns
    assert (run.limit is None) == (complete == 8)
    if run.limit is not None:
        assert (run.limit.option, run.limit.limits.turns, run.limit.turns) == ("max_turns", turns, used(run))


def test_warm_up_counts_and_may_use_up_the_limit(tmp_path: Path) -> None:
    run = measured(tmp_path / "run", UsageLimits(SERVERS, 3))
    assert used(run) == 3 and not run.measured() and run.limit is not None


def test_the_limit_of_audio_counts_clips_and_replies(tmp_path: Path) -> None:
    """A turn has 1.2 s. Ten of them are 12 s; the pair after that sends 0.6 s before it is answered."""
    assert used(measured(tmp_path / "a", UsageLimits(SERVERS, audio_minutes=12.6 / 60))) == 12
    run = measured(tmp_path / "b", UsageLimits(SERVERS, audio_minutes=12.59 / 60))
    assert used(run) == 10 and pairs(run) == [3] * 3
    assert run.limit is not None and run.limit.option == "max_audio_minutes"
    assert run.limit.audio_minutes == pytest.approx(12 / 60)


def test_turns_are_paced_and_their_figures_are_the_same(tmp_path: Path) -> None:
    scripts = {"server": SCRIPT, "local": SCRIPT}
    plain = measured(tmp_path / "plain", None, scripts)
    paced = measured(tmp_path / "paced", UsageLimits(("server",), turns_per_minute=6), scripts)
    starts_ns = [paced.evidence(turn).delivery.t0_ns for turn in paced.turns if turn.label == "server"]
    assert {after - before for before, after in pairwise(starts_ns)} == {10_000 * MS}
    assert [(turn.turn, turn.figures) for turn in paced.turns] == [(turn.turn, turn.figures) for turn in plain.turns]
    assert paced.limit is None


def test_a_restarted_system_does_not_exceed_the_limit(tmp_path: Path) -> None:
    """It has to warm up again within the second pair, whose turns alone would have fit; the limit comes first."""
    first = next(turn.turn for turn in measured(tmp_path / "plain", None).measured() if turn.label == "server")
    for turns in (8, 9, 10, 11):
        run = measured(tmp_path / f"{turns}", UsageLimits(SERVERS, turns), dies=("server", first))
        assert [turn.phase for turn in run.turns if turn.label == "server"].count("cold") == 2
        assert turns - 1 <= used(run) <= turns and run.limit is not None
        assert pairs(run)[0] == 3


def test_turns_after_idling_count(tmp_path: Path) -> None:
    run = measured(tmp_path / "run", UsageLimits(SERVERS, 23), idle=5.0, idle_turns=3)
    assert Counter(turn.phase for turn in run.turns) == {"cold": 3, "warmup": 3, "measured": 24, "idle": 3}
    assert run.limit is not None and used(run) == 22


def test_a_resumed_run_counts_what_was_used_before(tmp_path: Path) -> None:
    """After four turns to warm up again, two pairs more fit."""
    path = tmp_path / "run"
    measured(path, UsageLimits(SERVERS, 9))
    assert (path / LIMIT).exists()
    run = measured(path, UsageLimits(SERVERS, 17))
    assert pairs(run) == [3] * 4 and used(run) == 16 and run.limit is not None
    run = measured(path, None)
    assert run.limit is None and not (path / LIMIT).exists()
    plain = measured(tmp_path / "plain", None)
    order = [(turn.turn, turn.label, turn.utterance) for turn in plain.measured()]
    assert [(turn.turn, turn.label, turn.utterance) for turn in run.measured()] == order


def test_resuming_with_the_same_limit_ends_at_once_and_says_the_same(tmp_path: Path) -> None:
    """Its corpus does not even exist: nothing is loaded."""
    path = write_run(tmp_path / "run", make_run({"server": [100.0] * 8}, segment={"usage_limits": LIMITS}, turns=40))
    (path / LIMIT).write_text(REACHED, "utf-8")
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    said = CliRunner().invoke(application(["run"]), ["run", "--resume", str(path), "--no-report"])
    assert said.exit_code == 0, said.output
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert (
        "note: the run ended at its limit of 8 turns (--max-turns): server had 8 turns in all phases, and the next "
        f"would have exceeded it. To measure more: bench run --resume {path} --max-turns N, with a higher N."
    ) in said.stdout
    assert "unfinished" not in said.stdout
    with pytest.raises(UnknownName, match="corpus 'made'"):  # with another limit the run is really resumed
        session.resume(path, NoProgress(), {"max_turns": 100})


LIMITS = UsageLimits(("server",), turns=8)
REACHED = (
    '{"option": "max_turns", "turns": 8, "audio_minutes": 0.5, "limits": {"systems": ["server"], "turns": 8, '
    '"audio_minutes": null, "turns_per_minute": null, "turns_by_default": false}}'
)


def test_only_limits_can_be_changed_on_resuming(tmp_path: Path) -> None:
    refused = CliRunner().invoke(
        application(["run"]), ["run", "--resume", str(tmp_path), "--max-turns", "9", "--turns", "4", "--seed", "1"]
    )
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception).endswith("remove --turns, --seed.")


def test_a_damaged_limit_is_explained(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", make_run({"server": [100.0]}))
    for text in ("", "[]", '{"option": "max_minutes"}', REACHED.replace("8", '"8"')):
        (path / LIMIT).write_text(text, "utf-8")
        with pytest.raises(RunError, match="damaged"):
            read_run(path)


def test_a_run_that_a_limit_ended_is_not_unfinished(tmp_path: Path) -> None:
    summary = summarise(measured(tmp_path / "run", UsageLimits(SERVERS, 9, turns_by_default=True)))
    (said,) = (notice for notice in summary.notices if "limit" in notice)
    assert said.startswith(
        "the run ended at its limit of 9 turns (--max-turns, the default if a server is not on this machine): "
        "server, other had 8 turns in all phases"
    )
    assert {label.planned for label in summary.labels} == {2}


def test_a_limit_that_comes_before_the_precision_is_said_to_have_done_so(tmp_path: Path) -> None:
    run = measured(tmp_path / "run", UsageLimits(SERVERS, 9), stopping_rule=StoppingRule(0.01, "share", 2, 60.0))
    stopping = summarise(run).stopping
    assert stopping is not None and stopping.ended == "limit"


def manifest(**options: Any) -> Manifest:
    systems = {label: options.pop(label) for label in ("a", "b") if label in options}
    labels = tuple(
        make_system(label, pipeline="cascade" if given else "scripted", options=given, needs_server=bool(given))
        for label, given in systems.items()
    )
    return make_manifest(labels=labels, **options)


LOCAL = {"llm": "openai", "llm-url": "http://127.0.0.1:8000/v1"}
PROVIDER = {"llm": "openai", "llm-url": "https://api.example.com/v1"}
ELSEWHERE = {"asr": "wyoming", "asr-uri": "tcp://192.0.2.1:10300"}
SOCKET = {"asr": "wyoming", "asr-uri": "unix:///run/asr.sock"}


@pytest.mark.parametrize(
    ("systems", "remote", "systems_limited", "turns"),
    [
        ({"a": {}, "b": LOCAL}, (), None, None),
        ({"a": {}, "b": PROVIDER}, (), ("b",), MAX_TURNS),
        ({"a": LOCAL, "b": PROVIDER}, (), ("a", "b"), MAX_TURNS),
        ({"a": {}, "b": ELSEWHERE}, (), ("b",), MAX_TURNS),
        ({"a": {}, "b": SOCKET}, (), None, None),
        ({"a": {}, "b": LOCAL}, ("b",), ("b",), MAX_TURNS),
        ({"a": {}}, ("a",), ("a",), MAX_TURNS),
    ],
    ids=["loopback", "a provider", "both", "a Wyoming server", "a unix socket", "known after loading", "undeclared"],
)
def test_servers_elsewhere_have_a_default_limit(
    systems: dict[str, Any], remote: Sequence[str], systems_limited: tuple[str, ...] | None, turns: int | None
) -> None:
    loaded = [make_facts(label, remote=label in remote) for label in systems]
    found = usage_limits(manifest(**systems), loaded)
    assert found == (None if systems_limited is None else UsageLimits(systems_limited, turns, turns_by_default=True))
    given = usage_limits(manifest(**systems, max_turns=1000), loaded)
    assert given is not None and (given.turns, given.turns_by_default) == (1000, False)


def test_a_system_knows_after_loading_that_its_server_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from firstpacket.pipelines.scripted import Scripted

    executor = InProcessExecutor(make_scripted("a", SCRIPT), VirtualClock())
    assert not executor.start().remote
    monkeypatch.setattr(Scripted, "servers", lambda _: ("http://127.0.0.1:1", "https://192.0.2.1"))
    assert executor.start().remote


def test_a_limit_that_limits_nothing_is_said_to(tmp_path: Path) -> None:
    limits = in_force(Options(max_turns=9), (), False)
    run = make_run({"a": [100.0] * 8}, segment={"usage_limits": limits}, max_turns=9)
    assert "no system of the run uses a server, so --max-turns has no effect." in summarise(run).notices
