"""The default corpus is named once, in `Options`; every text that names it says the same."""

from __future__ import annotations

import re

import pytest
from support.command import ROOT, here

from firstpacket.bench.corpus.catalogue import list_corpora
from firstpacket.bench.options import Options

CORPUS = Options().corpus
PLACES = {
    "README.md": (r"bench run --pipeline direct --pipeline cascade +# the corpus (\S+),",),
    "docs/commands.md": (r"\n# the corpus (\S+),", r'\ncorpus = "(\S+)"'),
    "action.yml": (r"else that of bench\.toml, else (\S+)\.",),
    "docs/ci.md": (r"\| `corpus` \| that of `bench\.toml`, else `(\S+)` \|",),
}


def test_it_comes_with_the_project() -> None:
    assert CORPUS in {listing.name for listing in list_corpora()}


@pytest.mark.parametrize("file", PLACES)
def test_texts_name_it(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert [re.findall(place, text) for place in PLACES[file]] == [[CORPUS]] * len(PLACES[file])


@pytest.mark.parametrize("command", ["run", "gate"])
def test_help_names_it(command: str) -> None:
    shown = re.sub(r"[\s│]+", " ", here(command, "--help").stdout)
    (said,) = re.findall(r"--corpus [^\[]*\[(?:default: )?([\w-]+)\]", shown)
    assert said == CORPUS
