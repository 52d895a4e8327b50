"""The code of docs/python.md runs in a notebook's kernel and gives the outputs that the page shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The page's cells, run in order in an empty folder; an error in one fails here."""
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    folder = tmp_path_factory.mktemp("notebook")
    nbclient.NotebookClient(notebook, timeout=110, resources={"metadata": {"path": str(folder)}}).execute()
    return list(notebook.cells)


def shown(cell: Any, kind: str = "text/plain") -> str:
    return "".join(
        output["data"].get(kind, "") if "data" in output else output.get("text", "") for output in cell.outputs
    )


def test_a_run_shows_progress_its_tables_and_its_sentence(cells: list[Any]) -> None:
    html = shown(cells[0], "text/html")
    assert "<table>" in html and "direct" in html and "first packet" in html
    assert "turns" in shown(cells[0]), "one line of progress, renewed in place"
    assert len(cells[0].outputs) == 2


def test_a_comparison_is_a_sentence(cells: list[Any]) -> None:
    assert re.search(r"cascade.*(95 % CI|interval)", shown(cells[1]))


def test_frames_are_shown_as_frames(cells: list[Any]) -> None:
    assert all("<table" in shown(cell, "text/html") for cell in (cells[2], cells[3], cells[5]))
    assert "python-run/report.html" in shown(cells[4])
    assert '<a href="python-run/report.html"' in shown(cells[4], "text/html")
