"""The picture of what `bench show` prints."""

import re
from xml.etree import ElementTree

from support.command import here
from support.runs import HOSTILE, make_run, write_run

from firstpacket.bench.export.svg import COLUMNS, svg


def texts(picture: str) -> str:
    """What stands in the picture, without the spaces that keep columns apart."""
    return "".join("".join(ElementTree.fromstring(picture).itertext()).split())


def test_it_has_the_printed_text_and_figures(tmp_path):
    folder = write_run(tmp_path / "run", make_run({"a": [100.0, 200.0, 300.0], "b": [50.0, 100.0, 150.0]}))
    drawn = texts(here("export", folder, "--format", "svg").stdout)
    printed = here("show", folder).stdout
    assert len(printed.split()) > 40
    assert [word for word in printed.split() if word not in drawn and not word.startswith("─")] == []


def test_nothing_runs_over_its_edge():
    picture = svg(make_run({"a": [1.0], "b": [2.0]}))
    pieces = re.findall(r'<text class="bench-r\d+" x="([\d.]+)"[^>]*textLength="([\d.]+)"[^>]*>([^<]*)', picture)
    seen = [float(x) + float(length) for x, length, text in pieces if text.strip()]
    assert len(seen) > 10
    assert max(seen) <= COLUMNS * 12.2 + 1  # rich draws a character 12.2 wide


def test_it_needs_no_network_and_runs_no_script():
    picture = svg(make_run({"a": [100.0]}, run=HOSTILE))
    assert not re.search(r"url\((?!#)|@import|@font-face|<script|href", picture)
    assert "<script>alert(1)</script>" in texts(picture)
