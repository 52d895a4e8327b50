from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.command import here
from support.runs import HOSTILE, LATE, make_run, write_run

from firstpacket.bench.contract import as_json
from firstpacket.bench.errors import RunError, UnknownName, UsageError
from firstpacket.bench.history.history import History, history
from firstpacket.bench.history.page import history_html, write_history
from firstpacket.bench.history.plot import history_svg
from firstpacket.bench.history.sentences import said_of
from firstpacket.bench.pipeline import Weights

STREAMED = {"options": {"chain": "streamed"}}
ON_A_GPU = {"system": STREAMED | {"device": "cuda"}, "environment": {"gpu0": "A GPU", "gpu_driver": "1"}}
FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)


def night(folder: Path, day: int, levels: dict[str, float], **said: object) -> None:
    """One nightly run: eight clips around a level, with a ripple of a per cent from night to night."""
    ripple = 1 + (day * 7 % 5 - 2) / 200
    values = {label: [level * ripple + at for at in range(8)] for label, level in levels.items()}
    name = f"night-{day:02}"
    created = (FIRST + timedelta(days=day)).isoformat()
    write_run(folder / name, make_run(values, run=name, created=created, **said))


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`direct` stalls on night 5 and is a tenth slower from night 12 on; the machine is another from night 16 on."""
    folder = tmp_path_factory.mktemp("nights")
    for day in range(18):
        levels = {"direct": 200.0 * (1.1 if day >= 12 else 1) * (4 if day == 5 else 1), "cascade": 600.0}
        night(folder / f"{day % 2}", day, levels, environment={"cpu": "Other CPU"} if day >= 16 else {})
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text("{")
    night(folder / "0" / "night-00" / "kept", 90, {"direct": 1.0})  # no run lies in a run
    return folder


@pytest.fixture(scope="module")
def found(nights: Path) -> History:
    pytest.importorskip("ruptures")
    return history(nights)


def test_runs_are_joined_by_label_and_machine_in_the_order_of_time(found: History) -> None:
    assert [(each.label, each.machine, len(each.points)) for each in found.series] == [
        ("cascade", "Some CPU, 2 cores", 16),
        ("cascade", "Other CPU, 2 cores", 2),
        ("direct", "Some CPU, 2 cores", 16),
        ("direct", "Other CPU, 2 cores", 2),
    ]
    assert [point.run for point in found.series[0].points] == [f"night-{day:02}" for day in range(16)]
    assert found.series[1].differs_from_previous == ("processors differ (Some CPU, 2 and Other CPU, 2)",)
    assert found.series[0].differs_from_previous == ()


def test_a_step_is_found_and_a_single_slow_run_is_not_one(found: History) -> None:
    cascade, _, direct, _ = (each.changes for each in found.series)
    assert cascade == ()
    (step,) = direct
    assert step.point.run == "night-12"
    assert step.before == pytest.approx(203.5, abs=2)
    assert step.ratio == pytest.approx(1.1, abs=0.01)
    assert said_of(found)[0].startswith("direct changed with night-12 (2026-01-13 03:00): ")


def test_what_cannot_be_read_is_named_and_left_out(found: History) -> None:
    (left,) = found.skipped
    assert left.name == "broken"
    assert "not valid JSON" in left.reason


def test_a_label_alone_and_unknown_names(nights: Path) -> None:
    assert {each.label for each in history(nights, label="direct").series} == {"direct"}
    with pytest.raises(UnknownName, match="Did you mean 'direct'"):
        history(nights, label="dirct")
    with pytest.raises(UnknownName, match="metric"):
        history(nights, metric="latency")


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a folder"):
        history(tmp_path / "nowhere")
    with pytest.raises(RunError, match="No run below"):
        history(tmp_path)
    night(tmp_path, 0, {"direct": 100.0})
    with pytest.raises(RunError, match="direct has no LLM first token in any of 8 measured turns"):
        history(tmp_path, "llm_ttft")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"corpus_sha256": "d" * 64}, "the corpora differ (sha256 cccccccccccc and dddddddddddd)"),
        ({"t0": "last_frame"}, "their clocks start at different moments (t0: speech_end and last_frame)"),
        ({"input": "realtime"}, "speech was delivered in different ways (input: file and realtime)"),
        ({"facts": {"weights": (Weights("llm", "dummy", "seed 0"),)}}, "weights of direct differ"),
        ({"system": {"options": {"chain": "overlapped"}}}, "options of direct differ (chain streamed and overlapped)"),
        (
            ON_A_GPU,
            "GPUs differ (unknown and A GPU)",
        ),
        ({"threads": 4}, "threads per worker differ (threads: 1 and 4)"),
        ({"clip": "other"}, "the clips differ (8 and 8, of which 0 are the same)"),
    ],
)
def test_runs_that_cannot_be_compared_form_series_with_a_reason(
    tmp_path: Path, said: dict[str, object], reason: str
) -> None:
    same: dict[str, object] = {"system": STREAMED}
    for day, more in enumerate((same, same | said, same)):
        night(tmp_path, day, {"direct": 100.0}, **more)
    first, second = history(tmp_path).series
    assert [point.run for point in first.points] == ["night-00", "night-02"], "the third goes on with the first"
    assert any(each.startswith(reason) for each in second.differs_from_previous), second.differs_from_previous


def test_a_new_option_of_the_code_does_not_split_a_series(tmp_path: Path) -> None:
    night(tmp_path, 0, {"direct": 100.0}, system=STREAMED)
    night(tmp_path, 1, {"direct": 100.0}, system={"options": {"chain": "streamed", "new": "x"}})
    assert len(history(tmp_path).series) == 1


def test_an_invalid_run_is_left_out_with_its_reason(tmp_path: Path) -> None:
    night(tmp_path, 0, {"direct": 100.0})
    night(tmp_path, 1, {"direct": 900.0}, turn=LATE)
    found = history(tmp_path)
    assert [point.run for point in found.series[0].points] == ["night-00"]
    assert found.skipped[0].name == "night-01"
    assert found.skipped[0].reason.startswith("The run is invalid: the microphone was late")


def test_a_copy_of_a_run_counts_once(tmp_path: Path) -> None:
    night(tmp_path / "a", 0, {"direct": 100.0})
    night(tmp_path / "b", 0, {"direct": 100.0})
    found = history(tmp_path)
    assert len(found.series[0].points) == 1
    assert found.skipped[0].reason == "It is a copy of a/night-00."


def test_without_the_library_there_is_everything_but_change_points(
    nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    found = history(nights)
    assert len(found.series) == 4
    assert {each.changes for each in found.series} == {()}
    assert "[history]" in said_of(found)[-1]
    assert as_json(found)["not_searched"] == found.not_searched


def test_the_command_prints_and_writes_and_gives_json(nights: Path, tmp_path: Path) -> None:
    pytest.importorskip("ruptures")
    shown = here("history", nights, "--out", tmp_path / "made" / "history.html")
    assert shown.returncode == 0, shown.stderr
    assert "direct changed with night-12" in shown.stdout
    assert "skipped: broken: " in shown.stderr
    assert "changed with night-12" in (tmp_path / "made" / "history.html").read_text("utf-8")
    told = json.loads(here("history", nights, "--json", "--label", "direct").stdout)
    assert (told["schema"], told["kind"], told["unit"]) == (2, "firstpacket.history", "ms")
    series = told["series"][0]
    assert series["changes"][0]["point"]["run"] == "night-12"
    median = series["points"][0]["median"]
    assert median["interval"]["low"] <= median["value"] <= median["interval"]["high"]
    assert told["metric"] == "first_packet_latency"


def test_the_plot_is_the_same_bytes_and_valid_xml(found: History) -> None:
    svg = history_svg(found)
    assert svg == history_svg(found)
    ElementTree.fromstring(svg)
    assert "× 1.10" in svg


def test_names_on_the_plot_are_not_rendered_as_formulas(tmp_path: Path) -> None:
    night(tmp_path, 0, {"direct": 100.0}, environment={"cpu": "A $x^2$ CPU"})
    assert "A $x^2$ CPU, 2 cores" in history_svg(history(tmp_path))


def test_another_file_suffix_is_refused_before_anything_is_written(found: History, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.html or \.svg"):
        write_history(found, tmp_path / "history.png")
    assert not list(tmp_path.iterdir())


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    night(tmp_path, 0, {"direct": 100.0}, environment={"cpu": HOSTILE}, corpus=HOSTILE)
    night(tmp_path, 1, {"direct": 100.0}, corpus=HOSTILE)
    write_run(tmp_path / "dateless", make_run({"direct": [1.0]}, created=HOSTILE))
    found = history(tmp_path)
    assert "is invalid" in found.skipped[0].reason
    ElementTree.fromstring(history_svg(found))
    page = history_html(found)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    json.dumps(as_json(found), allow_nan=False)
