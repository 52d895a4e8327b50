"""The licences of a run's recordings are in every report and export, with what they forbid."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from support.runs import HOSTILE, make_run, make_utterance_facts

from firstpacket.bench.contract import as_json
from firstpacket.bench.corpus.licences import restrictions
from firstpacket.bench.export.formats import exported
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.markdown import render_markdown
from firstpacket.bench.summary.licences import licence_sentence
from firstpacket.bench.summary.summarise import summarise

SAID = (
    "Licences of the recordings, by clips: cc-by-nc-4.0 (2; not for commercial use), none stated (1; without a licence"
    " nobody may pass the recordings on)."
)


def licensed(*names: str) -> Run:
    clips = [replace(clip, licence=name) for clip, name in zip(make_utterance_facts(len(names)), names, strict=True)]
    return make_run({"a": [100.0] * len(names)}, clips=len(names), utterances=tuple(clips))


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC BY-NC 4.0", 1),
        ("cc-by-nc-nd-4.0", 2),
        ("Non-commercial research licence", 1),
        ("none stated", 1),
        ("CC0-1.0 (the site's terms: not to be passed on)", 1),
        ("CC0-1.0; must not be passed on", 1),
        ("Apache-2.0", 0),
        ("MIT", 0),
        ("CC BY 4.0", 0),
        ("", 0),
    ],
)
def test_what_a_licence_forbids(licence: str, forbids: int) -> None:
    assert len(restrictions(licence)) == forbids


def test_they_are_in_the_foot_of_the_report_and_in_every_text() -> None:
    run = licensed("none stated", "cc-by-nc-4.0", "cc-by-nc-4.0")
    html = render_report([run])
    assert SAID in re.sub(r"\s+", " ", html[html.index("<footer>") : html.index("</footer>")])
    for page in (render_markdown([run]), str(exported(run, "markdown"))):
        assert SAID in page.replace("\\", "")


def test_they_are_in_exports_for_programs() -> None:
    run = licensed("none stated", "cc-by-nc-4.0")
    assert as_json(summarise(run))["licences"][0] == {
        "licence": "cc-by-nc-4.0",
        "clips": 1,
        "forbids": ["not for commercial use"],
    }
    rows = list(csv.DictReader(io.StringIO(str(exported(run, "csv")))))
    assert [row["licence"] for row in rows] == ["none stated", "cc-by-nc-4.0"]


def test_a_corpus_without_licences_has_no_such_sentence() -> None:
    run = licensed("", "")
    assert licence_sentence(summarise(run).licences) == ""
    assert "Licences of the recordings" not in render_report([run]) + render_markdown([run])


def test_a_hostile_licence_is_escaped() -> None:
    assert "<script>alert" not in render_report([licensed(HOSTILE)])
    assert str(exported(licensed("=1+1"), "csv")).count("'=1+1") == 1
