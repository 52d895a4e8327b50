"""`import firstpacket` as a researcher uses it: measured, read, compared, as DataFrames with stated types."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import write_clips
from support.virtual import virtual_run

import firstpacket

RECORDED = Path(__file__).parents[1] / "record" / "schema_1" / "until"
"""A real run of two systems, eight clips each."""


@pytest.fixture(scope="module")
def recorded() -> firstpacket.Run:
    return firstpacket.read(RECORDED)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> firstpacket.Run:
    folder = tmp_path_factory.mktemp("api")
    clips = write_clips(folder / "clips", 2)
    return firstpacket.run(
        "scripted", "slow=scripted", corpus=clips, turns=2, warmup=0, out=folder / "run", progress=False
    )


def test_exactly_the_public_names_are_exported() -> None:
    assert dir(firstpacket) == sorted(firstpacket.__all__)
    for name in firstpacket.__all__:
        assert getattr(firstpacket, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'ran'"):
        firstpacket.ran  # type: ignore[attr-defined]  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, firstpacket; print(sorted({'numpy', 'pandas', 'rich', 'typer', 'torch'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_run_is_measured_and_says_how_it_can_be_repeated(measured: firstpacket.Run) -> None:
    assert measured.systems == ("scripted", "slow")
    assert (measured.path / "manifest.json").exists()
    command = (measured.path / "manifest.json").read_text()
    assert '"--turns"' in command and '"-p"' in command and '"slow=scripted"' in command
    turns = measured.turns()
    assert list(turns[turns.phase == "measured"].groupby("system").size()) == [2, 2]


def test_it_runs_inside_an_event_loop(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 1)

    async def cell() -> firstpacket.Run:
        return firstpacket.run("scripted", corpus=clips, warmup=0, out=tmp_path / "run", progress=False)

    assert asyncio.run(cell()).systems == ("scripted",)


def test_a_wrong_option_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(firstpacket.UsageError, match="turnz"):
        firstpacket.run("scripted", turnz=3)
    with pytest.raises(firstpacket.UsageError):
        firstpacket.run()
    with pytest.raises(firstpacket.UsageError, match="cascad"):
        firstpacket.run("cascad")


def test_turns_have_one_row_each_and_a_stated_type_per_column(recorded: firstpacket.Run) -> None:
    turns = recorded.turns()
    types = turns.dtypes.astype(str).to_dict()
    assert types["turn"] == "int64" and types["packets"] == "Int64"
    assert types["first_packet_latency_ms"] == types["transcript_wer"] == "Float64"
    assert {types[name] for name in ("system", "clip", "phase", "outcome", "reason", "flags")} == {"string"}
    assert turns.turn.is_unique and len(turns) > 40
    direct = turns[turns.system == "direct"]
    assert direct.transcript_wer.isna().all(), "a figure that a system does not have is missing, not 0"


def test_types_do_not_depend_on_values(tmp_path: Path) -> None:
    path = virtual_run(tmp_path / "run", {"a": "raise"}, count=2)
    failed = firstpacket.read(path)
    assert set(failed.turns().outcome) == {"failed"}
    for frame, types in ((failed.stages(), "stages"), (failed.packets(), "packets")):
        assert {str(kind) for kind in frame.dtypes} <= {"int64", "float64", "string", "Float64"}, types
    assert failed.packets().empty and "at_ms" in failed.packets()


def test_stages_and_packets_agree_with_the_figures(recorded: firstpacket.Run) -> None:
    import pandas as pd

    turns, stages, packets = recorded.turns().set_index("turn"), recorded.stages(), recorded.packets()
    first = packets[packets.packet == 0].set_index("turn").at_ms
    pd.testing.assert_series_equal(
        first.astype("Float64").sort_index(), turns.first_packet_latency_ms.sort_index(), check_names=False
    )
    summed = stages[stages.stage == "encoder"].groupby("turn").duration_ms.sum()
    pd.testing.assert_series_equal(
        summed.astype("Float64"), turns["stage.encoder.host_ms"].dropna().sort_index(), check_names=False
    )
    assert set(stages.kind.dropna()) >= {"llm", "tts"}


def test_a_summary_is_what_bench_show_says(recorded: firstpacket.Run) -> None:
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.summary.summarise import summarise

    summary = recorded.summary().set_index(["system", "metric"])
    for label in summarise(read_run(RECORDED)).labels:
        known = label.figures["first_packet_latency"].p50
        assert known is not None and known.interval is not None
        row = summary.loc[(label.label, "first_packet_latency")]
        assert (row.p50, row.low, row.high, row.unit) == (known.value, known.interval.low, known.interval.high, "ms")
    assert summary.p99.isna().all(), "eight turns support no 99th percentile"


def test_a_comparison_is_a_sentence_and_a_table(recorded: firstpacket.Run) -> None:
    found = firstpacket.compare(recorded)
    assert str(found) == found.sentences[0] and "direct" in str(found) and "95 % CI" in str(found)
    metrics = found.metrics()
    assert metrics.metric[0] == "first_packet_latency" and metrics.difference_low[0] < metrics.difference_high[0]
    audible = firstpacket.compare(recorded, metric="response_latency", systems=("casc", "direct"))
    assert (audible.metrics().base[0], audible.metrics().other[0]) == ("casc", "direct")
    with pytest.raises(firstpacket.UnknownName):
        firstpacket.compare(recorded, systems=("casc", "cascade"))


def test_two_runs_are_compared_by_system(tmp_path: Path, recorded: firstpacket.Run) -> None:
    again = firstpacket.read(shutil.copytree(RECORDED, tmp_path / "again"))
    found = firstpacket.compare(recorded, again)
    assert (found.metrics().groupby("base").difference.first() == 0).all()


def test_notebooks_show_sentences_and_tables_escaped(tmp_path: Path, recorded: firstpacket.Run) -> None:
    shown = recorded._repr_html_()
    assert "<table>" in shown and "direct" in shown
    compared = firstpacket.compare(recorded)
    assert "<table>" in compared._repr_html_() and compared.notices == recorded.notices
    for html in (shown, compared._repr_html_()):
        assert "note: " not in html and html.count("<li>") >= len(recorded.notices) > 0
        assert "`" not in html and "<code>" in html
    copied = Path(shutil.copytree(RECORDED, tmp_path / "hostile"))
    manifest = copied / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"small-world"', '"<script>alert(1)</script>"'))
    assert "<script>" not in firstpacket.read(copied)._repr_html_()


def test_runs_of_a_folder_form_one_frame(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(RECORDED, tmp_path / name)
        manifest = tmp_path / name / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"run": "', f'"run": "{name}-'))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    found = firstpacket.runs(tmp_path)
    assert [run.name[:2] for run in found] == ["a-", "b-"] and len(found[:1]) == 1
    assert [name for name, _ in found.skipped] == ["broken"]
    frame = found.summary()
    assert set(frame.run) == {run.name for run in found} and str(frame.created.dtype) == "datetime64[ns, UTC]"
    assert len(frame) == sum(len(run.summary()) for run in found)
    assert firstpacket.runs(tmp_path / "broken").summary().empty


def test_the_report_is_written_to_the_given_path(tmp_path: Path, recorded: firstpacket.Run) -> None:
    path = recorded.report(str(tmp_path / "new" / "report.html"))
    assert path.read_text().startswith("<!doctype html>")


def test_a_notebook_shows_the_report_as_a_link(
    tmp_path: Path, recorded: firstpacket.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = recorded.report(tmp_path / "a & b.html")
    assert path._repr_html_() == f'<a href="a%20%26%20b.html" target="_blank">{tmp_path}/a &amp; b.html</a>'  # type: ignore[attr-defined]


def test_a_misspelt_metric_is_corrected_without_a_list_of_all(recorded: firstpacket.Run) -> None:
    with pytest.raises(firstpacket.UnknownName, match="Did you mean 'first_packet_latency'") as raised:
        firstpacket.compare(recorded, metric="first_packet_latencies")
    assert len(str(raised.value)) < 200


def test_an_existing_folder_is_refused_in_terms_of_python(tmp_path: Path) -> None:
    with pytest.raises(firstpacket.RunError, match=r"exists already. Choose another folder with out=") as raised:
        firstpacket.run("scripted", out=tmp_path)
    assert "--" not in str(raised.value)


def test_a_path_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(firstpacket.RunError, match="is not a run folder"):
        firstpacket.read(str(tmp_path))
