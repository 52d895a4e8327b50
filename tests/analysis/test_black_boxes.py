"""A system that cannot be looked into: its latency is compared, and nothing is guessed about its parts."""

from __future__ import annotations

from typing import Any

import pytest
from support.remote import ANSWER, CASCADE, URL, black_box_run
from support.runs import make_facts, make_run, make_system
from support.stages import stage

from firstpacket.bench.analysis.claims.evidence import contest
from firstpacket.bench.analysis.claims.verdict import NOT_TESTABLE
from firstpacket.bench.analysis.document import RunContents, contents
from firstpacket.bench.compare.tables import contributions
from firstpacket.bench.pipeline import Stage
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.table import text

DIRECT = {"encoder": 40, "llm.decode": 50, "vocoder": 60}


@pytest.fixture(scope="module")
def found() -> RunContents:
    return contents(black_box_run())


def roles(found: RunContents) -> dict[str, float]:
    assert found.comparison is not None
    return {role: each.value for role, each in found.comparison.findings[0].contributions.roles.items()}


def test_latency_is_compared_turn_by_turn(found: RunContents) -> None:
    assert found.answer.headlines[0].startswith("realtime sends its first packet 100 ms later than cascade")
    assert "8 pairs on 8 clips" in found.answer.headlines[0]


def test_what_happens_inside_is_one_role_on_both_sides(found: RunContents) -> None:
    assert roles(found) == {"wait": 200.0, "move": 10.0, "opaque": 390.0 - 500.0}
    assert found.comparison is not None
    (shown,) = contributions(found.comparison)
    assert [text(row.cells[0]) for row in shown.rows] == [
        "waiting for the end of speech", "transferring audio", "work that cannot be told apart", "total"
    ]  # fmt: skip
    assert any(note.startswith("realtime cannot be looked into") for note in shown.notes)


def test_the_reason_names_what_is_not_known(found: RunContents) -> None:
    assert found.answer.attribution == (
        "Waiting for the end of speech accounts for 200 % of it, transferring audio for 10 %, work that cannot be told "
        "apart offsets 110 %: realtime cannot be looked into"
    )


def test_without_a_black_box_the_roles_stay_apart() -> None:
    run = make_run({"a": [CASCADE] * 8, "b": [{"asr": 200, "llm.decode": 150, "tts": 50}] * 8})
    assert roles(contents(run)) == {"listen": -100.0, "think": 0.0, "speak": 0.0}


def test_the_system_is_named_by_its_server(found: RunContents) -> None:
    assert found.answer.made_of[1] == f"realtime: speech-to-speech 1.1.0, dialect hf, at {URL}"
    silent = contents(black_box_run(facts={}))
    assert silent.answer.made_of[1] == f"realtime: a server, at {URL}"


def test_it_is_evidence_for_neither_architecture(found: RunContents) -> None:
    (said,) = [notice for notice in found.answer.notices if "cannot be looked into" in notice]
    assert said.startswith("realtime cannot be looked into") and "neither architecture" in said
    verdicts = {each.number: each for each in contents(black_box_run(input="realtime")).claims}
    for number in (3, 4, 5, 9):
        assert verdicts[number].answer == NOT_TESTABLE
        assert "realtime cannot be looked into" in verdicts[number].needed, number
    assert "realtime" not in verdicts[1].measured, "claims about cascades are tested on cascades"


def test_it_does_not_take_part_in_the_project_s_question() -> None:
    run = three()
    assert contest(summarise(run)) == ("cascade", "direct")
    assert contents(run).answer.headlines[0].startswith("direct sends its first packet")


def three() -> Run:
    stages = (stage("asr", "listen"), stage("encoder", "listen"), stage("llm.decode", "think"), stage("tts", "speak"),
              Stage("vocoder", "speak"), Stage("server", "opaque"))  # fmt: skip
    timings = {"realtime": [ANSWER] * 8, "cascade": [CASCADE] * 8, "direct": [DIRECT] * 8}
    kinds: dict[str, Any] = {"realtime": "remote", "cascade": "cascade", "direct": "direct"}
    told = tuple(make_facts(label, **({"weights": ()} if label == "realtime" else {})) for label in timings)
    labels = tuple(make_system(label, kind=kinds[label], stages=stages[:-1]) for label in timings)
    return make_run(timings, labels=labels, segment={"labels": told})


def test_a_part_that_cannot_be_looked_into_is_no_evidence_for_stages() -> None:
    """A cascade with an opaque part: its stages do not say what dominates it."""
    stages = (stage("asr", "listen"), stage("llm.decode", "think"), Stage("server", "opaque"))
    timing = {"asr": 300, "llm.decode": 50, "server": 100}
    open_ = (*stages[:2], stage("server", "speak"))
    known = contents(make_run({"c": [timing] * 8}, system={"kind": "cascade", "stages": open_}))
    assert known.claims[0].answer == "supported"
    partly = contents(make_run({"c": [timing] * 8}, system={"kind": "cascade", "stages": stages}))
    assert partly.claims[0].answer == NOT_TESTABLE
    assert partly.claims[0].needed == "a cascade all of whose stages are known: c cannot be looked into"
    assert any(notice.startswith("A part of c cannot be looked into (server)") for notice in partly.answer.notices)


def test_the_report_shows_it(found: RunContents) -> None:
    html = render_report([found.run])
    assert "role-opaque" in html and "work that cannot be told apart" in html
