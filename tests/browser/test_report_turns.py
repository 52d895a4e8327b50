"""The report's turns in a browser: played, sorted, filtered, expanded and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import pytest
from support.browser import Opened, window

from firstpacket.bench.analysis.dataframe import turns_csv
from firstpacket.bench.record.store import read_run

CLIPS = 12
LOUDNESS = """async (audio) => {
    const bytes = Uint8Array.from(atob(audio.src.split(",")[1]), (mark) => mark.charCodeAt(0));
    const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes.buffer);
    const samples = sound.getChannelData(0), step = 160, found = [];
    for (let at = 0; at + step <= samples.length; at += step)
        found.push(Math.sqrt(samples.slice(at, at + step).reduce((sum, each) => sum + each * each, 0) / step));
    return found;
}"""
"""Root mean square of every 10 ms that a player would play."""


def shown_rows(page: Any) -> list[list[str]]:
    """Cells of the turns that are to be seen, in their order."""
    return page.evaluate("""[...document.querySelectorAll(".turns-table tbody")].filter(each => !each.hidden)
        .map(each => [...each.rows[0].cells].map(cell => cell.innerText.trim()))""")  # fmt: skip


def column(page: Any, name: str) -> list[str]:
    heads = [each.strip() for each in page.locator(".turns-table thead th").all_inner_texts()]
    return [row[heads.index(name)] for row in shown_rows(page)]


def turn_of(page: Any, label: str, clip: str) -> Any:
    rows = page.locator(".turns-table tbody").filter(has_text=clip).filter(has_text="measured")
    return rows.filter(has=page.get_by_role("cell", name=label, exact=True))


def test_the_worst_come_first(opened: Opened) -> None:
    rows = shown_rows(opened.page)
    assert len(rows) == 2 * CLIPS
    assert column(opened.page, "outcome")[0] == "failed"
    slowest = [
        float(ms)
        for ms, label in zip(column(opened.page, "first packet"), column(opened.page, "system"), strict=True)
        if label == "direct"
    ]
    assert slowest == sorted(slowest, reverse=True)


def test_a_turn_is_played_as_it_was(opened: Opened) -> None:
    """The longest clip has 1.27 s; the cascade needs 0.381 s, then plays 0.4 s, stalls for 0.05 s, and plays 0.2 s."""
    player = turn_of(opened.page, "cascade", "clip-11").locator("audio")
    loud = [level > 0.05 for level in player.evaluate(LOUDNESS)] + [False]
    first = loud.index(True)  # an MP3 begins with the coder's own delay
    changes = [(at - first) / 100 for at in range(first + 1, len(loud)) if loud[at] != loud[at - 1]]
    assert changes == pytest.approx([1.27, 1.651, 2.051, 2.101, 2.301], abs=0.025)


def test_one_recording_plays_at_a_time(opened: Opened) -> None:
    page = opened.page
    first, second = (turn_of(page, label, "clip-11").locator("audio") for label in ("cascade", "direct"))
    for player in (first, second):
        player.evaluate("each => each.play()")
        page.wait_for_function("each => each.currentTime > 0.05", arg=player.element_handle())
    assert first.evaluate("each => each.paused")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_columns_sort(opened: Opened, by: str) -> None:
    page = opened.page
    head = page.locator(".turns-table thead th").filter(has_text="first packet")
    for order in ("ascending", "descending"):
        if by == "mouse":
            head.get_by_role("button").click()
        else:
            head.get_by_role("button").focus()
            page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        told = column(page, "first packet")
        assert told[-1] == "", "a turn without the figure comes last either way"
        figures = [float(each) for each in told[:-1]]
        assert figures == sorted(figures, reverse=order == "descending")
        assert len(figures) == 2 * CLIPS - 1


def test_filters_show_only_matching_turns(opened: Opened) -> None:
    page = opened.page
    filters = page.locator(".turns-filters")
    filters.get_by_label("system").select_option("direct")
    assert set(column(page, "system")) == {"direct"}
    filters.get_by_label("text").fill("QUESTION 7")
    assert [cell.split()[0] for cell in column(page, "clip")] == ["clip-07"]
    assert "1 of" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="all turns").click()
    assert set(column(page, "phase")) > {"measured", "cold"}
    filters.get_by_label("outcome").select_option("failed")
    assert {row[4].split()[0] for row in shown_rows(page)} == {"clip-03"}


def test_any_turn_can_be_expanded(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("button", name="all turns").click()
    cold = page.locator(".turns-table tbody").filter(has_text="cold").first
    assert cold.locator(".turn-open").count() == 0, "it is packed until it is asked for"
    cold.get_by_role("button").click()
    cold.locator(".turn-open").wait_for()
    assert "reply " in cold.locator(".turn-open").inner_text()
    assert cold.get_by_role("button").get_attribute("aria-expanded") == "true"
    cold.get_by_role("button").click()
    assert not cold.locator(".turn-open").is_visible()


def test_the_turns_are_saved_as_they_are_exported(opened: Opened, tmp_path: Path) -> None:
    with opened.page.expect_download() as saving:
        opened.page.locator(".turns-download").click()
    saving.value.save_as(tmp_path / "turns.csv")
    run = Path(url2pathname(opened.address.removeprefix("file://"))).parent / "run"
    assert (tmp_path / "turns.csv").read_text("utf-8") == turns_csv(read_run(run))


def test_without_scripts_the_worst_turns_are_expanded(browser: Any, report: str) -> None:
    with window(browser, report, java_script_enabled=False) as shown:
        worst = shown.page.locator(".turns-table tbody").filter(has=shown.page.locator(".turn-open:visible"))
        assert worst.count() == 20, "ten of either label"
        assert "no answer to this one" in worst.first.inner_text()
        assert worst.locator("audio").count() >= 19
        assert "reply 11" in turn_of(shown.page, "direct", "clip-11").inner_text()
