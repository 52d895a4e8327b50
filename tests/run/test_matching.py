"""Matched labels, and what the run records of the matching."""

from __future__ import annotations

import pytest

from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, PipelineChoice, parse_pipeline
from firstpacket.bench.run.resolve import resolve

DIRECT = "direct,weights=dummy"


def options(*pipelines: str, all_of_them: bool = False) -> Options:
    return Options(pipelines=tuple(map(parse_pipeline, pipelines)), matched=all_of_them)


def matched(asked: Options) -> tuple[tuple[PipelineChoice, ...], tuple[str, ...]]:
    """Labels as they are measured, and what is said of the matched ones."""
    resolved, notices = resolve(asked)
    return tuple(each.choice for each in resolved), tuple(each for each in notices if "matched" in each)


def test_without_matching_nothing_changes() -> None:
    asked = options("cascade", "direct")
    assert matched(asked) == (asked.pipelines, ())


def test_the_ladder_has_an_unmatched_and_a_matched_cascade() -> None:
    asked = options("a=cascade,chain=sequential", "b=cascade", "c=cascade,matched=true", DIRECT + ",max-new-tokens=64")
    found, notices = matched(asked)
    assert found[:2] == asked.pipelines[:2]
    assert found[3] == asked.pipelines[3]
    assert found[2].options == {
        "matched": True,
        "asr": "transformers",
        "asr-weights": "dummy",
        "asr-size": "micro",
        "llm": "transformers",
        "llm-weights": "dummy",
        "llm-size": "tiny",
        "llm-max-tokens": 64,
        "llm-temperature": 0.0,
        "llm-top-p": 1.0,
    }
    (notice,) = notices
    assert notice.startswith("c is matched with direct in the language model's dimensions (tiny), the reply")
    assert "Not matched: the recogniser's decoder" in notice


def test_a_flag_asks_for_all_but_those_that_say_no() -> None:
    found, notices = matched(options("a=cascade", "b=cascade,matched=false", "direct,size=8b", all_of_them=True))
    assert found[0].options["asr-size"] == "large-v3"
    assert found[0].options["llm-size"] == "8b"
    assert found[1].options == {"matched": "false"}
    assert len(notices) == 1


def test_published_weights_cannot_be_matched() -> None:
    found, (notice,) = matched(options("cascade,matched=true,llm-model=x", "direct,weights=FOLDER"))
    assert "llm-size" not in found[0].options
    assert "Not matched: encoder and language model (each with its own published weights)" in notice


@pytest.mark.parametrize(
    ("pipelines", "message"),
    [
        (("cascade,matched=true",), "there are 0"),
        (("cascade,matched=true", "a=direct", "b=direct,size=1b"), "there are 2"),
        (("cascade,matched=true,llm-size=1b", DIRECT), "needs llm-size=tiny, but llm-size=1b was given"),
        (
            ("cascade,matched=true,asr=pocketsphinx", "direct"),
            "asr=pocketsphinx and llm=transformers cannot be matched",
        ),
        (
            ("cascade,matched=true,llm-model=x", DIRECT),
            "dummy weights of the size tiny, and llm-model=x is a different",
        ),
        (
            ("cascade,matched=true,asr=transformers,asr-model=x", DIRECT),
            "asr-model=x is a different model. Remove asr-model",
        ),
        (("a=direct", "b=scripted"), "none to adapt"),
    ],
)
def test_what_cannot_be_matched_is_refused(pipelines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        matched(options(*pipelines, all_of_them="matched=true" not in pipelines[0]))
