"""Which weights a label takes, by its own options and by the run's."""

from __future__ import annotations

from typing import Any

import pytest

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, parse_pipeline
from firstpacket.bench.run.resolve import _with_weights, resolve
from firstpacket.pipelines.weights import kinds
from firstpacket.pipelines.weights.kinds import origin


def taken(text: str) -> dict[str, Any]:
    choice = parse_pipeline(text)
    return registry.check_options(choice.name, choice.options)[1]


@pytest.mark.parametrize(("weights", "asr"), [("demo", "faster-whisper"), ("dummy", "pocketsphinx")])
def test_one_option_sets_the_weights_of_all_engines_of_a_cascade(weights: str, asr: str) -> None:
    options = taken(f"cascade,weights={weights}")
    assert (options["asr"], options["llm-weights"]) == (asr, weights)
    assert taken(f"cascade,weights={weights},asr=transformers")["asr-weights"] == weights


def test_an_engines_own_weights_option_wins() -> None:
    options = taken("cascade,weights=demo,asr=transformers,asr-weights=dummy")
    assert (options["asr-weights"], options["llm-weights"]) == ("dummy", "demo")


def test_a_size_implies_dummy_weights() -> None:
    assert taken("direct,size=8b")["weights"] == "dummy"
    options = taken("cascade,weights=demo,asr=transformers,asr-size=base")
    assert (options["asr-weights"], options["llm-weights"]) == ("dummy", "demo")


def test_all_pipelines_have_the_same_default_weights() -> None:
    assert taken("direct")["weights"] == taken("cascade")["weights"] == taken("cascade")["llm-weights"] == kinds.DEFAULT


@pytest.mark.parametrize(
    ("weights", "model", "is_from"),
    [
        ("demo", "", "demo"),
        ("dummy", "", "dummy"),
        ("dummy", "demo", "demo"),
        ("demo", "small.en", "published"),
        ("published", "", "published"),
    ],
)
def test_a_model_that_was_named_wins(weights: str, model: str, is_from: str) -> None:
    assert origin(weights, model) == is_from


def asked(weights: str, *labels: str) -> dict[str, dict[str, Any]]:
    choices = _with_weights(Options(pipelines=tuple(map(parse_pipeline, labels)), weights=weights))
    return {choice.label: dict(choice.options) for choice in choices}


def test_weights_of_a_run_are_the_default_of_its_labels() -> None:
    found = asked("demo", "direct", "own=direct,weights=FOLDER", "cascade", "scripted")
    assert found == {
        "direct": {"weights": "demo"},
        "own": {"weights": "FOLDER"},
        "cascade": {"weights": "demo"},
        "scripted": {},
    }


def test_weights_that_no_pipeline_uses_are_refused() -> None:
    with pytest.raises(UsageError, match="--weights dummy: no pipeline of this run has a choice"):
        asked("dummy", "scripted")


def test_a_cascade_matched_with_the_demo_weights_takes_them_too() -> None:
    labels = ("cascade,matched=true", "direct,weights=demo")
    (cascade, _), (notice, *_) = resolve(Options(pipelines=tuple(map(parse_pipeline, labels))))
    options = cascade.system.options
    assert (options["asr"], options["asr-weights"], options["llm-weights"]) == ("transformers", "demo", "demo")
    assert "the encoder, weight for weight" in notice


def test_a_named_model_and_the_demo_weights_do_not_match() -> None:
    labels = ("cascade,matched=true,asr=transformers,asr-model=small.en", "direct,weights=demo")
    with pytest.raises(
        UsageError, match=r"direct runs on the demo weights, and asr-model=small\.en is a different model"
    ):
        resolve(Options(pipelines=tuple(map(parse_pipeline, labels))))
