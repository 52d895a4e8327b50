"""Every figure on the page is the one in the JSON, and a run with figures worked out by hand shows them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import here
from support.html import Page, at, read_back
from support.runs import make_run, write_run

from firstpacket.bench.record.store import read_run
from firstpacket.bench.report.formats import rendered
from firstpacket.bench.tables.html import cell_html
from firstpacket.bench.tables.table import Figure

CASCADE = [600.0 + 10 * clip for clip in range(8)]
DIRECT = [value - 410 for value in CASCADE]
"""Direct answers 410 ms sooner on every one of 8 clips; a third of either is `asr`. Both are heard 10 ms later."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = {"cascade": [*CASCADE, "timeout"], "direct": [*DIRECT, "silent"]}
    return write_run(tmp_path_factory.mktemp("figures") / "run", make_run(values))


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(rendered([read_run(folder)], "html"))


def test_every_figure_of_the_page_is_in_the_json(folder: Path) -> None:
    assert len(read_back(read_run(folder))) > 100


def test_summary_figures_equal_those_of_bench_show(page: Page, folder: Path) -> None:
    shown = json.loads(here("show", folder, "--json").stdout)
    ours = {
        pointer.removeprefix("/summary"): raw for pointer, raw, _ in page.figures if pointer.startswith("/summary/")
    }
    assert {pointer: json.dumps(at(shown, pointer)) for pointer in ours} == ours
    for label in ("cascade", "direct"):
        for metric, each in shown["labels"][label]["figures"].items():
            if each["p50"] is not None:
                assert f"/labels/{label}/figures/{metric}/p50/value" in ours
            assert f"/labels/{label}/figures/{metric}/n_missing" in ours


def test_figures_equal_those_worked_out_by_hand(page: Page) -> None:
    text = {pointer: said for pointer, _, said in page.figures}
    assert text["/summary/labels/cascade/figures/first_packet_latency/p50/value"] in ("635 ms", "635")
    assert text["/summary/labels/direct/figures/first_packet_latency/p50/value"] in ("225 ms", "225")
    assert text["/comparison/findings/0/metrics/0/difference/value"] == "-410 ms"
    assert text["/comparison/findings/0/contributions/roles/listen/value"] == "-137 ms"
    assert text["/comparison/findings/0/contributions/shares/listen"] == "33 %"
    assert text["/summary/labels/direct/path/parts/0/mean/value"] == "75.0 ms"
    assert "direct sends its first packet 410 ms sooner than cascade" in page.text
    assert "Systems measured cascade: asr → " in page.text
    assert "Speaking accounts for 67 % of it, transcription for 33 %." in page.text


def test_shares_under_the_bounds_count_turns_without_an_answer(page: Page) -> None:
    """One of 9 turns is audible within 200 ms: at 190 ms plus 10. The bound is the binomial's, two turns of a clip
    together for one: 9 turns on 8 clips."""
    values = {
        pointer: float(raw) for pointer, raw, _ in page.figures if pointer.startswith("/latency_shares/labels/direct")
    }
    assert values["/latency_shares/labels/direct/200/value"] == pytest.approx(1 / 9)
    assert values["/latency_shares/labels/direct/500/value"] == pytest.approx(8 / 9)
    low, high = (values[f"/latency_shares/labels/direct/500/interval/{end}"] for end in ("low", "high"))
    assert low < 8 / 9 < high < 1


def test_markdown_says_the_same(page: Page, folder: Path) -> None:
    said = rendered([read_run(folder)], "md").replace("\\", "")
    assert "**direct sends its first packet 410 ms sooner than cascade" in said
    missing = [text for _, _, text in page.figures if text not in said]
    assert missing == []


def test_an_unknown_format_is_refused(folder: Path) -> None:
    result = here("report", folder, "--format", "pdf")
    assert result.returncode == 2
    assert "Unknown format 'pdf'" in result.stderr


def test_places_are_json_pointers_and_cells_are_escaped() -> None:
    figure = Figure("<1", 0.5, ("a/b", "~", 3))
    assert figure.pointer == "/a~1b/~0/3"
    assert cell_html(("<i>", figure)) == '&lt;i&gt;<data value="0.5" data-figure="/a~1b/~0/3">&lt;1</data>'


def test_a_run_of_one_label_and_one_without_an_answer_have_pages(folder: Path) -> None:
    run = read_run(folder)
    one = replace(run.manifest, labels=run.manifest.labels[:1])
    alone = replace(run, manifest=one, turns=tuple(turn for turn in run.turns if turn.label == "cascade"))
    for form in ("html", "md", "json"):
        assert "cascade sends its first packet after 635 ms" in rendered([alone], form)
    silent = replace(run, turns=tuple(turn for turn in run.turns if turn.outcome != "answered"))
    assert "Too few turns" in rendered([silent], "md")
