"""A microphone that was late is counted and flagged, and too much of it makes a run invalid, wherever that is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import here, write_clips
from support.virtual import NoProgress, virtual_run
from typer.testing import CliRunner, Result

from firstpacket.bench.cli import application
from firstpacket.bench.compare.findings import Question, of_runs
from firstpacket.bench.errors import InvalidRun, RunError
from firstpacket.bench.metrics.late_microphone import histogram, is_late, late_frames
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.schema import Delivery
from firstpacket.bench.record.store import read_run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.run import in_process, session
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.microphone import Microphone
from firstpacket.bench.summary.summarise import summarise

MS = 1_000_000
LIMIT_NS = 5 * MS
SCRIPT = "hear; tts 20; packet 100"
FRAMES = 10


def invoke(words: list[str]) -> Result:
    return CliRunner().invoke(application(words), words)


def delivery(*lateness_ms: float) -> Delivery:
    """Frames of 20 ms, the last one at the end of speech."""
    t0_ns = 20 * MS * len(lateness_ms)
    lateness_ns = tuple(round(each * MS) for each in lateness_ms)
    return Delivery(t0_ns, 0, t0_ns + lateness_ns[-1], lateness_ns)


@pytest.mark.parametrize(
    ("lateness_ms", "late"),
    [
        ((0, 0, 5), False),
        ((0, 0, 5.1), True),
        ((0, 20, 0), False),
        ((0, 25.1, 0), True),
    ],
)
def test_the_last_frame_counts_most(lateness_ms: tuple[float, ...], late: bool) -> None:
    assert is_late(delivery(*lateness_ms), LIMIT_NS) is late


def test_frames_are_counted_by_lateness() -> None:
    heard = delivery(0, 0.05, 0.1, 4.9, 5, 7, 1000)
    assert histogram(heard) == (2, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1)
    assert late_frames(heard, LIMIT_NS) == {"late_frames": 2}


def test_file_input_has_no_frame_schedule() -> None:
    handed_over = Delivery(7, 7, 7, (0,))
    assert histogram(handed_over) == () and late_frames(handed_over, 0) == {} and not is_late(handed_over, 0)


class Lagging(Microphone):
    """Delivers the frames that `late` names, counted over the whole run, 8 ms after they are due."""

    late: Callable[[int], bool]
    delivered = 0

    def _deliver(self, frame: Samples, begin: int) -> int | None:
        number, Lagging.delivered = Lagging.delivered, Lagging.delivered + 1
        if not type(self).late(number):
            return super()._deliver(frame, begin)
        hear, self.hear = self.hear, lambda _: None
        if super()._deliver(frame, begin) is None:
            return None
        self.clock.sleep_until_ns(self.clock.now_ns() + 8 * MS)
        self.hear = hear
        self._lateness_ns[-1] += 8 * MS
        hear(frame)
        return self.clock.now_ns()


@pytest.fixture
def lagging(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def make(
        path: Path,
        late: Callable[[int], bool],
        turns: int = 40,
        scripts: dict[str, str] = {"a": SCRIPT},  # noqa: B006 (only read)
        **changes: object,
    ) -> Path:
        monkeypatch.setattr(in_process, "Microphone", Lagging)
        monkeypatch.setattr(Lagging, "late", staticmethod(late), raising=False)
        monkeypatch.setattr(Lagging, "delivered", 0)
        return virtual_run(path, scripts, "realtime", 4, turns=turns, warmup=0, **changes)

    return make


def last(number: int) -> bool:
    return number % FRAMES == FRAMES - 1


def of_turns(*turns: int) -> Callable[[int], bool]:
    """The last frame of these turns; turn 0 is the cold one."""
    return lambda number: last(number) and number // FRAMES in turns


def test_a_late_last_frame_is_in_the_latency_and_flagged(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    run = read_run(lagging(tmp_path / "run", of_turns(2, 3)))
    flagged = [turn.turn for turn in run.turns if "late_microphone" in turn.flags]
    assert flagged == [2, 3]
    latency = {turn.turn: turn.figures["first_packet_latency"] for turn in run.turns}
    assert latency[2] - latency[1] == 8 * MS
    assert {turn.turn: turn.figures["late_frames"] for turn in run.turns if turn.figures["late_frames"]} == {2: 1, 3: 1}
    assert recompute(run).equal
    # Two turns of forty, and two frames of four hundred: within what may be.
    assert summarise(run).invalid == ()


def test_too_many_late_turns_make_a_run_invalid(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    summary = summarise(read_run(lagging(tmp_path / "run", of_turns(2, 3, 4))))
    assert [reason.split(" (")[0] for reason in summary.invalid] == [
        "the microphone was late in 3 of 40 measured turns"
    ]


def test_the_user_is_warned_once_early_in_a_run(
    tmp_path: Path, lagging: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(NoProgress, "warned", lambda _, said: warnings.append(said))
    lagging(tmp_path / "good", of_turns(2))
    assert warnings == []
    lagging(tmp_path / "bad", last)
    (said,) = warnings
    assert said.startswith("The microphone was late in 20 of the first 20 measured turns. With more than 1 in 20")


def test_ctrl_c_says_that_the_run_is_invalid_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manager, "run", interrupted)
    arguments = ("run", "-p", "scripted", "--corpus", str(write_clips(tmp_path)), "--turns", "1", "--out")
    fine = here(*arguments, str(tmp_path / "fine"))
    assert fine.returncode == 130 and "invalid" not in fine.stderr and "Every finished turn is kept" in fine.stderr
    monkeypatch.setattr(session, "invalid", lambda run: ("the microphone was late in 3 of 40 measured turns",))
    bad = here(*arguments, str(tmp_path / "bad"))
    assert "So far the run is invalid: the microphone was late in 3 of 40 measured turns. Every finished" in bad.stderr


def test_one_late_turn_of_a_few_does_not(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    assert summarise(read_run(lagging(tmp_path / "run", lambda n: n == 27, turns=10))).invalid == ()
    # One frame of a hundred may be late, two may not.
    found = summarise(read_run(lagging(tmp_path / "other", lambda n: n in (27, 28), turns=10)))
    assert len(found.invalid) == 1 and "2 of 100 frames arrived more than 5 ms after they were due" in found.invalid[0]


def test_the_user_sets_the_limit(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    assert summarise(read_run(lagging(tmp_path / "run", last, microphone_limit_ms=8.0))).invalid == ()
    assert summarise(read_run(lagging(tmp_path / "other", last, microphone_limit_ms=7.9))).invalid


def test_only_measured_turns_can_make_a_run_invalid(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    summary = summarise(read_run(lagging(tmp_path / "run", lambda number: number < FRAMES)))
    assert summary.invalid == () and summary.microphone is not None and summary.microphone.late_frames == 0


def test_an_invalid_run_says_so_everywhere(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    bad = lagging(tmp_path / "bad", last)
    good = virtual_run(tmp_path / "good", {"a": SCRIPT}, "realtime", 4, run="good")
    told = json.loads(invoke(["show", str(bad), "--json"]).stdout)
    assert told["valid"] is False and len(told["invalid"]) == 2
    assert told["microphone"]["late_frames"] == told["microphone"]["late_turns"] == 40
    assert {bucket["from_ms"]: bucket["frames"] for bucket in told["microphone"]["buckets"] if bucket["frames"]} == {
        0: 360, 5: 40,
    }  # fmt: skip
    assert "This run is invalid: do not use its figures." in invoke(["show", str(bad)]).stdout
    page = render_report([read_run(bad)])
    assert "This run is invalid" in page and "5 to 10" in page
    with pytest.raises(RunError, match="'test' is invalid: the microphone was late: 40 of 400 frames"):
        of_runs(read_run(good), read_run(bad), Question())


def test_labels_of_an_invalid_run_are_not_compared(tmp_path: Path, lagging: Callable[..., Path]) -> None:
    bad = lagging(tmp_path / "bad", last, scripts={"a": SCRIPT, "b": SCRIPT})
    refused = invoke(["compare", str(bad)])
    assert isinstance(refused.exception, RunError) and refused.exception.exit_code == 13
    said = str(refused.exception)
    assert said.startswith("Cannot compare the systems of 'test': the run is invalid: the microphone was late")
    assert said.count("invalid: ") == 1 and "other's settings" not in said
    assert invoke(["compare", str(bad), "--allow", "invalid"]).exit_code == 0


def test_file_input_has_no_microphone_figures(tmp_path: Path) -> None:
    path = virtual_run(tmp_path / "run", {"a": SCRIPT})
    told = json.loads(invoke(["show", str(path), "--json"]).stdout)
    assert told["valid"] is True and told["microphone"] is None


def test_the_command_fails_and_keeps_the_run(tmp_path: Path) -> None:
    """No thread on earth is called up within 0.01 ms after 20 ms of sleep, in 99 of 100 times."""
    path = tmp_path / "run"
    asked = ["run", "-p", f"a=scripted,script={SCRIPT}", "--input", "realtime", "--warmup", "0", "--limit", "1"]
    ended = invoke([*asked, "--turns", "2", "--microphone-limit-ms", "0.01", "--out", str(path)])
    assert isinstance(ended.exception, InvalidRun), ended.output
    assert len([turn for turn in read_run(path).turns if turn.phase == "measured"]) == 2
    assert (path / "report.html").exists()
