"""The machine is read before and after every turn, outside it, and the readings are recorded with the turn."""

from __future__ import annotations

from pathlib import Path

from support.runs import make_segment
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.store import RunWriter, read_run
from firstpacket.bench.record.telemetry import HostTelemetry, Telemetry
from firstpacket.bench.run.executor import TurnConfig, TurnResult
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.timing.clock import VirtualClock


class Diary:
    """A watch that writes down when it was called."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def started(self, facts: LabelFacts) -> None:
        self.entries.append(f"started {facts.label}")

    def before(self) -> None:
        self.entries.append("before")

    def after(self) -> Telemetry | None:
        self.entries.append("after")
        return Telemetry(HostTelemetry(elapsed_ns=len(self.entries), cores=2))


class Told(InProcessExecutor):
    """Records when it is read."""

    diary: Diary

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        self.diary.entries.append("asked")
        return super().run(turn, utterance, config, keep_audio)


def test_the_machine_is_read_before_and_after_each_turn(tmp_path: Path) -> None:
    clips, diary = make_utterances(2), Diary()
    script = "hear; tts 5; packet 100"
    what = scripted_manifest({"a": script}, clips)
    executor = Told(make_scripted("a", script), VirtualClock())
    executor.diary = diary
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, {"a": executor}, clips, NoProgress(), diary).run((), make_segment)
    run = read_run(tmp_path / "run")
    assert diary.entries == ["started a"] + ["before", "asked", "after"] * len(run.turns)
    seen = [run.evidence(turn).telemetry for turn in run.turns]
    assert [beside.host.elapsed_ns for beside in seen if beside and beside.host] == [4, 7, 10, 13]
