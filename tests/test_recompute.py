"""Recomputed figures: bit-identical or named; a changed definition is not reported as a wrong figure."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.command import here
from support.remote import Server, served_run
from support.virtual import virtual_run

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics import definitions, figures
from firstpacket.bench.pipeline import OptionValue, Pipeline
from firstpacket.bench.recompute import lines, recompute
from firstpacket.bench.record.store import read_run
from firstpacket.bench.timing.spans import ServerFigure, TurnTrace

STREAMED = (
    "hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send | take; tts 10; silence 60; "
    "packet 90; take; tts 300; packet 200"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scripts = {"a": STREAMED, "b": "hear; encoder 7; silence 100", "c": "hear; asr 3; raise"}
    return virtual_run(tmp_path_factory.mktemp("runs") / "run", scripts, input="realtime")


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def edit(path: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the lines of one of a run's files."""
    found = [json.loads(line) for line in (path / name).read_bytes().splitlines()]
    change(found)
    (path / name).write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in found))


def replace_evidence(path: Path, turn: int, content: bytes) -> None:
    """Put another line where a turn's evidence lies, and let the turn point at it with a checksum that fits."""
    traces = path / "traces.jsonl"
    at = traces.stat().st_size
    traces.write_bytes(traces.read_bytes() + content)

    def point(found: list[dict[str, Any]]) -> None:
        line = next(line for line in found if line["turn"] == turn)
        line.update(evidence_at=at, evidence_bytes=len(content), evidence_crc32=zlib.crc32(content))

    edit(path, "turns.jsonl", point)


def evidence(path: Path, turn: int) -> dict[str, Any]:
    found = read_run(path)
    lies = next(each for each in found.turns if each.turn == turn)
    content = (path / "traces.jsonl").read_bytes()[lies.evidence_at :][: lies.evidence_bytes]
    return dict(json.loads(content))


def test_recomputed_figures_equal_the_recorded_ones(original: Path) -> None:
    found = recompute(read_run(original))
    run = read_run(original)
    assert found.equal
    assert found.turns_equal == found.turns == len(run.turns)
    # Each turn's path, its error, its flags, how late it was heard and whose it is are compared beside its figures.
    assert found.figures_equal == found.figures
    assert found.figures == sum(len(turn.figures) + len(turn.hidden) + 5 for turn in run.turns)
    assert not found.redefined and not found.notices


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda turn: turn["figures"].update(first_packet_latency=1), "first_packet_latency: stored 1, derived "),
        (lambda turn: turn["figures"].update(rtf_e2e=turn["figures"]["rtf_e2e"] * (1 + 2**-52)), "rtf_e2e: stored 1."),
        (lambda turn: turn["figures"].update(packets=3.0), "packets: stored 3.0, derived 3"),
        (lambda turn: turn["figures"].pop("response_latency"), "response_latency: stored None, derived "),
        (lambda turn: turn["figures"].update(invented=5), "invented: stored 5, derived None"),
        (lambda turn: turn["path"].reverse(), "path: stored 'tts host 10000000, "),
        (lambda turn: turn["hidden"].update(tts=1), "hidden.tts: stored 1, derived None"),
        (lambda turn: turn.update(lateness=[0, 1]), "lateness: stored '0 1', derived '10 0 0"),
        (lambda turn: turn.update(path_error_ns=9), "path.error: stored 9, derived 0"),
        (lambda turn: turn.update(flags=["false_endpoint"]), "flags: stored 'false_endpoint', derived ''"),
        (lambda turn: turn.update(outcome="failed"), "failed', derived 'turn 1 of "),
    ],
)
def test_one_changed_figure_is_named(run: Path, change: Callable[[dict[str, Any]], None], named: str) -> None:
    where: dict[str, Any] = {}

    def change_one(found: list[dict[str, Any]]) -> None:
        where.update(next(turn for turn in found if turn["label"] == "a" and turn["phase"] == "measured"))
        change(next(turn for turn in found if turn["turn"] == where["turn"]))

    edit(run, "turns.jsonl", change_one)
    found = recompute(read_run(run))
    assert not found.equal
    assert found.turns_equal == found.turns - 1
    assert len(found.differences) == 1
    told = str(found.differences[0])
    assert told.startswith(f"turn {where['turn']} (a), ")
    assert named.replace("turn 1 of", f"turn {where['turn']} of") in told


def test_flags_that_figures_do_not_decide_are_not_differences(run: Path) -> None:
    edit(run, "turns.jsonl", lambda found: found[0].update(flags=["truncated", "not_warmed_up"]))
    assert recompute(read_run(run)).equal


def test_evidence_of_another_turn_is_named(run: Path) -> None:
    first, second = [turn for turn in read_run(run).turns if turn.label == "a"][:2]
    content = (run / "traces.jsonl").read_bytes()[second.evidence_at :][: second.evidence_bytes]
    replace_evidence(run, first.turn, content)
    found = recompute(read_run(run))
    assert [each for each in found.differences if each.figure == "turn" and each.turn == first.turn]


def test_a_changed_definition_is_reported_apart_from_wrong_figures(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = tuple(replace(each, version=2) if each.name == "rtf_e2e" else each for each in definitions.TURN_METRICS)
    monkeypatch.setattr(definitions, "TURN_METRICS", today)
    real = figures.turn_figures

    def redefined(*seen: Any) -> figures.TurnFigures:
        derived = real(*seen)
        return replace(derived, figures={**derived.figures, "rtf_e2e": 0.5})

    monkeypatch.setattr("firstpacket.bench.recompute.turn_figures", redefined)
    found = recompute(read_run(run))
    assert found.equal
    assert [str(each) for each in found.redefined] == [f"rtf_e2e: v1 → v2 (not compared in {found.turns} turns)"]


def test_a_changed_definition_without_a_new_version_is_a_difference(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = figures.turn_figures

    def redefined(*seen: Any) -> figures.TurnFigures:
        derived = real(*seen)
        return replace(derived, figures={name: value * 2 for name, value in derived.figures.items()})

    monkeypatch.setattr("firstpacket.bench.recompute.turn_figures", redefined)
    assert not recompute(read_run(run)).equal


def test_new_and_dropped_metrics_count_as_changed_definitions(run: Path) -> None:
    def older(found: list[dict[str, Any]]) -> None:
        for segment in found:
            del segment["metrics"]["gapless_first_audio"]
            segment["metrics"]["stage.host"] = 7
            segment["metrics"]["hidden"] = 3
            segment["metrics"]["old_figure"] = 1

    edit(run, "segments.jsonl", older)
    edit(run, "turns.jsonl", lambda found: [turn["figures"].update(old_figure=1) for turn in found])
    found = recompute(read_run(run))
    assert found.equal
    assert {each.name: (each.before, each.now) for each in found.redefined} == {
        "gapless_first_audio": (None, 1),
        "stage.host": (7, 1),
        "hidden": (3, 1),
        "old_figure": (1, None),
    }


def test_a_run_without_versions_is_compared_and_says_so(run: Path) -> None:
    versioned = recompute(read_run(run))
    edit(run, "segments.jsonl", lambda found: [segment.pop("metrics") for segment in found])
    found = recompute(read_run(run))
    assert found.equal and not found.redefined
    assert found.figures_equal == versioned.figures
    assert "does not record the versions" in found.notices[0]


def test_every_segment_has_its_own_versions(run: Path) -> None:
    def resumed(found: list[dict[str, Any]]) -> None:
        found.append({**found[0], "segment": 1, "metrics": {**found[0]["metrics"], "packets": 9}})

    edit(run, "segments.jsonl", resumed)
    last = read_run(run).turns[-1].turn
    edit(run, "turns.jsonl", lambda found: found[-1].update(segment=1, figures={**found[-1]["figures"], "packets": 77}))
    found = recompute(read_run(run))
    assert found.equal
    assert [(each.name, each.turns) for each in found.redefined] == [("packets", 1)]
    assert last == read_run(run).turns[-1].turn


def hostile(change: Callable[[dict[str, Any]], None]) -> Callable[[Path, int], bytes]:
    def content(path: Path, turn: int) -> bytes:
        line = evidence(path, turn)
        change(line)
        return json.dumps(line).encode() + b"\n"

    return content


@pytest.mark.parametrize(
    "content",
    [
        hostile(lambda line: line["trace"]["packets"][0].update(sample_rate=0)),
        hostile(lambda line: line["trace"].update(spans="none")),
        hostile(lambda line: line.update(surprise=1)),
        hostile(lambda line: line["trace"]["packets"][0].update(at_ns=10**30)),
        lambda path, turn: b"[" * 100_000,
        lambda path, turn: b"\xff\xfe\x00",
        lambda path, turn: b"1" * 5000,
        lambda path, turn: b"",
    ],
)
def test_a_hostile_line_is_a_named_problem(run: Path, content: Callable[[Path, int], bytes]) -> None:
    turn = next(turn.turn for turn in read_run(run).turns if turn.label == "a")
    replace_evidence(run, turn, content(run, turn))
    found = recompute(read_run(run))
    assert not found.equal
    assert len(found.problems) == 1
    assert f"turn {turn}" in found.problems[0]
    assert found.turns_equal == found.turns - 1


def test_a_truncated_file_loses_only_its_own_turns(run: Path) -> None:
    traces = run / "traces.jsonl"
    traces.write_bytes(traces.read_bytes()[:-200])
    found = recompute(read_run(run))
    assert len(found.problems) == 1 and "damaged" in found.problems[0]
    assert found.turns_equal == found.turns - 1


@settings(max_examples=40)
@given(data=st.data())
def test_damage_is_always_reported_and_never_a_traceback(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    run = Path(shutil.copytree(original, tmp_path_factory.mktemp("fuzz") / "run"))
    content = bytearray((run / "traces.jsonl").read_bytes())
    where = data.draw(st.integers(0, len(content) - 1))
    content[where : where + data.draw(st.integers(1, 9))] = data.draw(st.binary(max_size=9))
    whole = bytes(content) == (run / "traces.jsonl").read_bytes()
    (run / "traces.jsonl").write_bytes(content)
    assert recompute(read_run(run)).equal == whole
    assert list(lines(recompute(read_run(run))))


def test_the_command_exits_with_1_if_anything_differs(run: Path) -> None:
    done = here("recompute", run)
    assert done.returncode == 0, done.stderr
    turns = len(read_run(run).turns)
    assert f"{turns} of {turns} equal" in done.stdout
    edit(run, "turns.jsonl", lambda found: found[-1].update(path_error_ns=3))
    done = here("recompute", run)
    assert done.returncode == 1
    assert "path.error: stored 3, derived 0" in done.stdout
    assert "do not follow from its traces" in done.stderr


class Replaying(Server):
    """Derives its stages, texts and the server's figures from its messages, as its plugin does."""

    @classmethod
    def replay(cls, options: Mapping[str, OptionValue], trace: TurnTrace) -> TurnTrace:
        bodies = [json.loads(message.body) for message in trace.messages if message.body]
        heard = next(body["transcript"] for body in bodies if "transcript" in body)
        (done,) = [body["response"] for body in bodies if "response" in body]
        said = json.loads(done["metadata"]["turn_latency"])
        texts = tuple(replace(each, text=heard) if each.kind == "transcript" else each for each in trace.texts)
        figures = tuple(ServerFigure(name.removesuffix("_s"), round(s * 1e9)) for name, s in said.items())
        return replace(trace, texts=texts, server_figures=figures)


def with_plugin(monkeypatch: pytest.MonkeyPatch, plugin: type[Pipeline] = Replaying) -> None:
    monkeypatch.setattr(registry, "pipeline", lambda name: plugin)


def change_messages(path: Path, before: bytes, after: bytes) -> None:
    """In every trace of the run, and in the places and checksums that point at them."""
    content = (path / "traces.jsonl").read_bytes()
    for turn in read_run(path).turns:
        line = content[turn.evidence_at :][: turn.evidence_bytes]
        replace_evidence(path, turn.turn, line.replace(before, after))


def test_what_follows_from_messages_is_derived_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = served_run(tmp_path / "run", count=2)
    with_plugin(monkeypatch)
    found = recompute(read_run(run))
    assert found.equal
    served = [turn for turn in read_run(run).turns if turn.label == "realtime"]
    assert found.turns_replayed == len(served) and not found.notices
    assert f"replay:  {len(served)} of {2 * len(served)} turns derived again from their messages" in list(lines(found))


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (b": 0.35}", b": 0.25}", "replayed server figures: stored 'e2e 350000000, stt 9"),
        (rb": \"the secret", rb": \"another", "replayed texts: stored 'transcript "),
    ],
)
def test_a_message_that_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, after: bytes, what: str
) -> None:
    run = served_run(tmp_path / "run", count=1)
    change_messages(run, before, after)
    with_plugin(monkeypatch)
    found = recompute(read_run(run))
    assert not found.equal
    assert {what in str(each) for each in found.differences} == {True}


def test_without_the_plugin_messages_are_not_replayed_and_nothing_fails(tmp_path: Path) -> None:
    run = served_run(tmp_path / "run", count=1)
    found = recompute(read_run(run))
    assert found.equal and found.turns_replayed == 0
    (note,) = found.notices
    assert note.startswith("Messages of realtime were not replayed. Unknown") and "elsewhere" in note


def test_a_plugin_that_lacks_what_it_needs_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking(Server):
        @classmethod
        def replay(cls, options: Mapping[str, OptionValue], trace: TurnTrace) -> TurnTrace:
            raise UsageError("The dialect mine.toml is gone.")

    run = served_run(tmp_path / "run", count=2)
    with_plugin(monkeypatch, Lacking)
    found = recompute(read_run(run))
    assert found.equal and found.turns_replayed == 0
    assert found.notices == ("Messages of realtime were not replayed. The dialect mine.toml is gone.",)


def test_a_plugin_that_cannot_replay_a_trace_is_a_problem_of_that_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = served_run(tmp_path / "run", count=1)
    change_messages(run, b"transcript", b"transcribed")
    with_plugin(monkeypatch)
    found = recompute(read_run(run))
    assert not found.equal and not found.differences
    assert all("cannot derive figures: StopIteration" in problem for problem in found.problems)
