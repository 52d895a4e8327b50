"""docs/tutorial.md works word for word: its blocks run in an empty folder and show what the page promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, here

TEXT = (ROOT / "docs/tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def outputs(folder: Path) -> dict[str, str]:
    """What each block printed, by its first line. Takes as long as loading two models and 70 short turns take."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name in ("bench", "python"):
        (bin_folder / name).write_text(
            f'#!/bin/sh\nexec "{sys.executable}" {"-m firstpacket " * (name == "bench")}"$@"\n'
        )
        (bin_folder / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    printed = {}
    for language, code in BLOCKS:
        words = ["sh", "-e", "-c", code] if language == "sh" else ["python", "-c", code]
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        printed[code.split("\n")[0]] = done.stdout
    return printed


@pytest.fixture
def printed(outputs: dict[str, str], request: pytest.FixtureRequest) -> str:
    (found,) = [text for line, text in outputs.items() if request.param in line]
    return found


pytestmark = pytest.mark.timeout(400)  # on a busy machine the first fixture takes more than a minute


@pytest.mark.parametrize("printed", ["known.toml"], indirect=True)
def test_a_known_difference_is_found(printed: str) -> None:
    """The scripts differ by 20 ms; a busy machine may add some, never half as much again.

    The run says so at its end, and `bench compare` again.
    """
    difference, again = re.findall(r"slow sends its first packet ([\d.]+) ms later than fast\b", printed)
    assert difference == again
    assert 15 < float(difference) < 30


@pytest.mark.parametrize("printed", ["import firstpacket"], indirect=True)
def test_the_sentence_names_its_interval_and_its_pairs(printed: str) -> None:
    sentence = printed.splitlines()[0]
    assert {"direct", "cascade"} <= set(re.findall(r"\w+", sentence))
    assert re.search(r"first packet: 95 % CI .* to .*, 6 pairs on 6 clips; first audible: 95 % CI .*\)", sentence)


@pytest.mark.parametrize("printed", ["bench recompute"], indirect=True)
def test_every_figure_is_recomputed(printed: str, folder: Path) -> None:
    assert re.search(r"turns: +(\d+) of \1 equal", printed)
    assert (folder / "first-run.tar.gz").stat().st_size > 10_000
    assert (folder / "first-run/report.html").exists()


def test_the_flags_of_the_longer_blocks_exist() -> None:
    longer = "".join(re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
    commands = re.findall(r"^bench (\w+)([^\n]*)", longer, re.MULTILINE)
    assert commands
    for command, words in commands:
        shown = here(command, "--help").stdout
        for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", words):
            assert flag in shown, f"bench {command} {flag}"
