"""Runs of older schemas: every figure is the one that the version which wrote them printed, to the last bit.

schema_1/ holds two runs recorded at 486b24a, without their audio, each with what `bench show --json` printed then.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.virtual import NoProgress

from firstpacket.bench.errors import RunError
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record import migrate
from firstpacket.bench.record.schema import SCHEMA
from firstpacket.bench.record.store import MANIFEST, SEGMENTS, TURNS, read_run
from firstpacket.bench.run import session
from firstpacket.bench.summary.contents import Figure
from firstpacket.bench.summary.summarise import summarise

RUNS = sorted(Path(__file__).parent.glob("schema_*/*"))
RENAMED = {"cut": "truncated", "machine_awake": "not_first_after_idle"}
"""Flags of schema 1 that have other names."""
old_runs = pytest.mark.parametrize("path", RUNS, ids=lambda path: f"{path.parent.name}-{path.name}")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@old_runs
def test_every_turn_has_the_figures_it_was_written_with(path: Path) -> None:
    run = read_run(path)
    written = lines(path / TURNS)
    assert len(run.turns) == len(written) > 40
    assert run.manifest.schema == SCHEMA and run.schema == json.loads((path / MANIFEST).read_text())["schema"] < SCHEMA
    for turn, raw in zip(run.turns, written, strict=True):
        assert turn.figures == raw["figures"]
        assert [(part.stage, part.kind, part.ns) for part in turn.path] == [
            tuple(part.values()) for part in raw["path"]
        ]
        assert (turn.outcome, list(turn.flags)) == (
            raw["outcome"],
            [RENAMED.get(it, it) for it in raw.get("flags", [])],
        )


@old_runs
def test_figures_derived_again_from_the_evidence_are_equal_bit_for_bit(path: Path) -> None:
    found = recompute(read_run(path))
    assert found.equal and found.turns == found.turns_equal > 40
    assert found.figures == found.figures_equal > 1400
    redefined = {each.name for each in found.redefined if each.before is not None}
    assert redefined <= {"llm_ttft", "llm_first_token_latency", "reply_end_level"}, (
        "figures that came later are no others"
    )


@old_runs
def test_the_summary_equals_the_one_printed_by_the_old_version(path: Path) -> None:
    printed = json.loads((path / "show.json").read_text())
    summary = summarise(read_run(path))
    assert {label.label for label in summary.labels} == set(printed["labels"])
    for label in summary.labels:
        before = printed["labels"][label.label]
        assert occurred(label.outcomes) == occurred(before["outcomes"])
        assert label.quality.audible_end is None, "the end of a reply was measured in another way"
        assert set(label.figures) == set(before["metrics"])
        for name, figure in label.figures.items():
            assert_same(figure, before["metrics"][name])
        assert label.path.total is not None and label.path.total.value == before["path"]["total"]
        means = [part.mean.value for part in label.path.parts]
        assert means == [part["mean"] for part in before["path"]["parts"]]


def occurred(counts: Mapping[Any, Mapping[Any, int]]) -> dict[tuple[str, str], int]:
    """Counts of outcomes, without those that did not occur: later versions know more of them."""
    return {(phase, outcome): n for phase, by_outcome in counts.items() for outcome, n in by_outcome.items() if n}


def assert_same(figure: Figure, before: dict[str, Any]) -> None:
    interval = figure.p50.interval if figure.p50 else None
    assert figure.n == before["n"] and figure.missing == before["missing"] and figure.mean == before["mean"]
    assert (figure.p50.value if figure.p50 else None) == before["p50"]
    assert (interval.low if interval else None) == before["p50_low"]
    assert (interval.high if interval else None) == before["p50_high"]
    assert {name: each.value for name, each in figure.percentiles.items()} == {
        name: before[name] for name in figure.percentiles
    }


def test_every_older_schema_has_a_step_and_a_run() -> None:
    assert set(migrate.STEPS) == set(range(migrate.OLDEST, SCHEMA))
    assert {read_run(path).schema for path in RUNS} == set(migrate.STEPS)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNS[0], tmp_path / "old"))


def test_reading_changes_nothing_on_disk(old: Path) -> None:
    before = {file.name: file.read_bytes() for file in old.iterdir()}
    summarise(read_run(old))
    recompute(read_run(old))
    assert {file.name: file.read_bytes() for file in old.iterdir()} == before


def test_an_older_run_is_not_resumed(old: Path) -> None:
    with pytest.raises(RunError, match=r"has schema 1; only runs of schema .* can be resumed.*start a new run"):
        session.resume(old, NoProgress())


@pytest.mark.parametrize("schema", ["0", "-1", "true", '"1"', "1.5", "null"])
def test_an_unknown_schema_is_named(old: Path, schema: str) -> None:
    manifest = old / MANIFEST
    manifest.write_text(manifest.read_text().replace('"schema": 1', f'"schema": {schema}'))
    with pytest.raises(RunError, match="'schema' must be a whole number"):
        read_run(old)


@pytest.mark.parametrize("name", [SEGMENTS, TURNS])
def test_lines_that_are_not_objects_are_reported_as_damage(old: Path, name: str) -> None:
    (old / name).write_text("[1]\n")
    with pytest.raises(RunError, match="expected an object"):
        read_run(old)


def test_sizes_of_weights_are_numbers(old: Path) -> None:
    (direct, *_) = read_run(old).segments[0].labels
    sizes = {weights.part: weights.parameters for weights in direct.weights}
    assert sizes["llm"] == 3_200_000 and sizes["speech encoder"] == 1_100_000
    assert not any(weights.detail for weights in direct.weights)


@pytest.mark.parametrize("detail", ["8B", "writes one text whatever it hears", "", "x 3.2 M values"])
def test_other_details_of_weights_are_unchanged(detail: str) -> None:
    raw = {"labels": [{"weights": [{"part": "llm", "detail": detail}]}]}
    assert migrate.upgraded("segment", raw, 1) == {"labels": [{"weights": [{"part": "llm", "detail": detail}]}]}


def test_token_counts_are_numbers_and_no_text() -> None:
    texts = [{"kind": "reply", "text": "hi", "at_ns": 4}]
    usage = {"kind": "usage", "text": "12 prompt tokens, 34 reply tokens", "at_ns": 5}
    assert migrate.upgraded("evidence", {"trace": {"texts": [*texts, usage]}}, 1)["trace"] == {
        "texts": texts,
        "usage": {"prompt_tokens": 12, "reply_tokens": 34, "at_ns": 5},
    }


def test_damage_is_passed_on_for_the_decoder_to_name() -> None:
    for raw in ({"labels": 3}, {"labels": [7, {"weights": "x"}, {"weights": [None]}]}, {}):
        assert migrate.upgraded("segment", dict(raw), 1) == raw
    for raw in ({"trace": 1}, {"trace": {"texts": [1, {"kind": "usage"}, {"text": 3}]}}, {}):
        assert migrate.upgraded("evidence", dict(raw), 1) == raw | {"kinds": {}}
    for raw in ({"labels": 1}, {"labels": [2, None]}, {"labels": [{"stages": [3], "options": 4}]}):
        migrate.upgraded("manifest", dict(raw, schema=1), 1)


def test_kinds_are_derived_from_the_names_of_pipelines_and_stages(old: Path) -> None:
    systems = {plan.label: plan for plan in read_run(old).manifest.labels}
    assert {label: plan.kind for label, plan in systems.items()} == {"direct": "direct", "cascade": "cascade"}
    assert systems["cascade"].kinds == {
        "endpoint": "endpoint", "asr": "asr", "llm.prefill": "llm", "llm.decode": "llm", "tts": "tts"
    }  # fmt: skip
    assert systems["direct"].kinds == {"endpoint": "endpoint", "llm.prefill": "llm", "llm.decode": "llm"}
    assert systems["cascade"].engines["llm"] == "transformers" and "llm" not in systems["direct"].engines
    assert systems["cascade"].overlaps and not systems["direct"].overlaps


def test_a_turn_without_a_prefill_had_no_figures_of_its_language_model() -> None:
    spans = [{"stage": "asr"}, {"stage": "llm.decode"}, {"stage": 3}]
    assert migrate.upgraded("evidence", {"trace": {"spans": spans}}, 1)["kinds"] == {"asr": "asr"}
    spans.append({"stage": "llm.prefill"})
    assert migrate.upgraded("evidence", {"trace": {"spans": spans}}, 1)["kinds"] == {
        "asr": "asr", "llm.decode": "llm", "llm.prefill": "llm"
    }  # fmt: skip


def test_a_scripted_label_has_the_kind_other() -> None:
    stages = [{"id": "asr", "role": "listen"}]
    (system,) = migrate.upgraded(
        "manifest", {"labels": [{"pipeline": "scripted", "stages": stages, "options": {}}]}, 1
    )["labels"]
    assert (system["kind"], system["overlaps"]) == ("other", False)


def test_flags_that_were_renamed_have_their_names_of_today() -> None:
    raw = {"flags": ["cut", "paged", "machine_awake", "not_warmed_up", 3]}
    assert migrate.upgraded("turn", raw, 1)["flags"] == [
        "truncated",
        "paged",
        "not_first_after_idle",
        "not_warmed_up",
        3,
    ]
    assert migrate.upgraded("turn", {"flags": "cut"}, 1) == {"flags": "cut"}
