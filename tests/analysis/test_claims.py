"""Verdicts on the claims: each side of every rule, from constructed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.runs import MS, make_facts, make_run, make_system, make_turn, make_utterance_facts
from support.stages import stage

from firstpacket.bench.analysis.claims.all import verdicts
from firstpacket.bench.analysis.claims.evidence import facts
from firstpacket.bench.analysis.claims.verdict import FOR_SOME, NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED, Verdict
from firstpacket.bench.analysis.early_start import AT_8B
from firstpacket.bench.analysis.sweeps import sweeps
from firstpacket.bench.pipeline import Stage, Weights
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.vocabulary import Architecture

CLIPS = 12
CASCADE = (stage("asr", "listen"), stage("llm.decode", "think"), stage("tts", "speak"))
DIRECT = (stage("encoder", "listen"), stage("llm.decode", "think"), stage("vocoder", "speak"))
EIGHT_BILLION = (Weights("llm", "published", "made", parameters=8_030_300_000),)
Parts = tuple[float, float, float]
"""Listening, thinking, speaking, ms."""


def judged(labels: Mapping[str, Mapping[str, Any]], *, gpu: str = "", **manifest: Any) -> dict[int, Verdict]:
    """The verdicts by number. Of each label: `parts` (a path for every clip, or one for all), and what is not usual."""
    systems, turns, told = [], [], []
    for label, said in labels.items():
        stages = CASCADE if said.get("asr") else DIRECT
        device = "cuda" if gpu else "cpu"
        kind: Architecture = "cascade" if said.get("asr") else "direct"
        overlaps = kind == "cascade" and said.get("overlaps", True)
        options = said.get("options", {})
        systems.append(make_system(label, device=device, options=options, stages=stages, kind=kind, overlaps=overlaps))
        told.append(make_facts(label, weights=said.get("weights", EIGHT_BILLION)))
        parts = said["parts"] if isinstance(said["parts"], list) else [said["parts"]] * CLIPS
        turns += [_turn(label, clip, each, stages, said.get("figures")) for clip, each in enumerate(parts)]
    run = make_run(
        [replace(turn, turn=number) for number, turn in enumerate(turns)],
        clips=CLIPS,
        environment={"gpu0": gpu} if gpu else {},
        segment={"labels": tuple(told)},
        labels=tuple(systems),
        **{"utterances": make_utterance_facts(CLIPS, text="some words"), **manifest},
    )
    summary = summarise(run)
    return {each.number: each for each in verdicts(facts(run, summary, sweeps(run, summary)))}


def _turn(label: str, clip: int, parts: Parts, stages: Sequence[Stage], figures: Any) -> Turn:
    timing = {stage.id: ms for stage, ms in zip(stages, parts, strict=True)}
    return make_turn(timing, label=label, utterance=f"clip-{clip}", figures=figures(clip) if figures else {})


def cascade(parts: Any = (300.0, 50.0, 100.0), **said: Any) -> dict[str, Any]:
    return {"asr": True, "parts": parts, **said}


def direct(parts: Any = (40.0, 50.0, 60.0), **said: Any) -> dict[str, Any]:
    return {"parts": parts, **said}


def test_every_claim_has_a_verdict_with_a_rule() -> None:
    found = judged({"cascade": cascade(), "direct": direct()})
    assert list(found) == list(range(1, 10))
    for verdict in found.values():
        assert verdict.rule
        assert verdict.claim.endswith(".")
        assert bool(verdict.needed) == (verdict.answer == NOT_TESTABLE)


def test_1_stages_other_than_the_llm_must_own_more_than_half() -> None:
    assert judged({"c": cascade((300, 50, 100))})[1].answer == SUPPORTED
    assert judged({"c": cascade((50, 300, 100))})[1].answer == NOT_SUPPORTED
    both = [(300, 50, 0), (50, 300, 0)] * 6
    assert judged({"c": cascade(both)})[1].answer == NOT_TESTABLE
    assert judged({"d": direct()})[1].answer == NOT_TESTABLE
    assert "account for 89 % [89, 89] of 450 ms" in judged({"c": cascade((300, 50, 100))})[1].measured


def test_2_wrong_transcripts_and_wrong_answers_must_go_together() -> None:
    def answers(right_if_heard: bool, right_if_misheard: bool) -> Any:
        def figures(clip: int) -> dict[str, float]:
            misheard = clip % 2
            right = right_if_misheard if misheard else right_if_heard
            return {"transcript_wer": 0.5 * misheard, "transcript_words": 2, "answer_accuracy": int(right)}

        return figures

    def answer(heard: bool, misheard: bool, **said: Any) -> str:
        return judged({"c": cascade(figures=answers(heard, misheard), **said)})[2].answer

    assert answer(True, False) == SUPPORTED
    assert answer(True, True) == NOT_SUPPORTED
    assert answer(False, False) == NOT_TESTABLE
    assert answer(True, False, weights=(Weights("llm", "dummy", "seed 0"),)) == NOT_TESTABLE
    assert judged({"c": cascade()})[2].answer == NOT_TESTABLE


def begins(at_ms: float, early_ms: float = 0.0, late_blocks: float | None = None) -> Any:
    """The LLM starts so many ms after the end of speech; the encoder worked for `early_ms` before it."""
    figures: dict[str, int | float] = {"llm_start": round(at_ms * MS), "work_during_speech": round(early_ms * MS)}
    figures |= {"stage.encoder.during_speech": round(early_ms * MS)} if early_ms else {}
    figures |= {"late_blocks": late_blocks} if late_blocks is not None else {}
    return lambda _: figures


def third(labels: Mapping[str, Mapping[str, Any]], **manifest: Any) -> Verdict:
    return judged(labels, **{"input": "realtime", **manifest})[3]


def test_3_counts_when_the_llm_starts_with_realtime_input_only() -> None:
    def answer(of_cascade: float, of_direct: float, **manifest: Any) -> str:
        labels = {"c": cascade(figures=begins(of_cascade)), "d": direct(figures=begins(of_direct))}
        return third(labels, **manifest).answer

    assert answer(300, -200) == SUPPORTED
    assert answer(300, 90) == NOT_SUPPORTED
    assert answer(-5, -200) == NOT_SUPPORTED
    assert answer(300, 0) == NOT_TESTABLE
    assert answer(300, -200, input="file") == NOT_TESTABLE


WAITS = direct(figures=begins(90), options={"listens": "to all"})
EARLY = direct((4, 10, 16), figures=begins(-400, 70, late_blocks=0.25), options={"listens": "block by block"})


def test_3_says_for_which_systems_it_holds() -> None:
    found = third({"c": cascade(figures=begins(300)), "waits": WAITS, "early": EARLY})
    assert found.answer == FOR_SOME
    assert found.measured.startswith(
        "On 2 cores of Some CPU: start of the LLM, after the end of speech: "
        "c (LLM of 8.0 B) +300 ms [300, 300], as claimed; "
        "waits (LLM of 8.0 B) +90.0 ms [90.0, 90.0], not as claimed; "
        "early (LLM of 8.0 B) -400 ms [-400, -400], 70 % [70, 70] of the work for its first packet during speech, "
        "25 % of its blocks late, as claimed. "
    )
    assert third({"waits": WAITS, "early": EARLY}).answer == FOR_SOME
    assert third({"waits": WAITS}).answer == NOT_SUPPORTED
    assert third({"early": EARLY}).answer == NOT_TESTABLE
    assert third({"c": cascade(figures=begins(-5)), "waits": WAITS, "early": EARLY}).answer == NOT_SUPPORTED


def test_3_says_from_pairs_what_an_early_start_brings() -> None:
    assert third({"waits": WAITS, "early": EARLY}).measured.endswith(
        "early - waits (options that differ: listens), "
        "first packet: -120 ms [-120, -120], first audible: -120 ms [-120, -120]"
    )


def test_3_adds_what_is_predicted_for_the_published_size_to_other_sizes_only() -> None:
    def measured(**said: Any) -> str:
        return third({"waits": {**WAITS, **said}, "early": {**EARLY, **said}}).measured

    assert AT_8B not in measured()
    assert measured(weights=(Weights("llm", "demo", "made", parameters=3_000_000),)).endswith(AT_8B)


def test_3_pairs_only_systems_whose_models_are_the_same() -> None:
    small = (Weights("llm", "demo", "made", parameters=3_000_000),)
    assert "early - " not in third({"waits": WAITS, "early": {**EARLY, "weights": small}}).measured
    other = direct(figures=begins(90), options={"listens": "to all", "chunk-units": "20"})
    chosen = third({"other": other, "waits": WAITS, "early": EARLY}).measured
    assert "early - waits" in chosen and "early - other" not in chosen


def test_3_does_not_take_preparation_for_an_early_start() -> None:
    prepares = direct(figures=begins(90, 0.2), options={"listens": "to all"})
    assert "early - waits" in third({"waits": prepares, "early": EARLY}).measured
    assert "waits - other" not in third({"waits": prepares, "other": WAITS}).measured


def test_3_says_that_older_runs_do_not_record_when_the_llm_starts() -> None:
    found = third({"c": cascade(), "d": direct()})
    assert (found.answer, found.needed) == (
        NOT_TESTABLE,
        "the start of the language model, which this run does not record",
    )


def test_4_only_8b_on_an_l40_with_chunks_of_10() -> None:
    fitting = {"options": {"chunk-units": "10"}}
    fast, slow = direct((40, 100, 100), **fitting), direct((40, 100, 130), **fitting)
    assert judged({"d": fast}, gpu="NVIDIA L40")[4].answer == SUPPORTED
    assert judged({"d": slow}, gpu="NVIDIA L40")[4].answer == NOT_SUPPORTED
    assert judged({"d": fast}, gpu="NVIDIA L40S")[4].answer == NOT_TESTABLE
    assert judged({"d": fast})[4].answer == NOT_TESTABLE
    assert judged({"d": direct(options={"chunk-units": "20"})}, gpu="NVIDIA L40")[4].answer == NOT_TESTABLE
    tiny = direct(weights=(Weights("llm", "dummy", "seed 0", parameters=5_000_000),), **fitting)
    assert judged({"d": tiny}, gpu="NVIDIA L40")[4].answer == NOT_TESTABLE


def test_5_and_9_need_an_overlapped_cascade_of_the_same_size() -> None:
    def answers(parts: Parts, **said: Any) -> tuple[str, str]:
        found = judged({"c": cascade(parts, **said), "d": direct((40, 50, 60))})
        return found[5].answer, found[9].answer

    assert answers((300, 50, 100)) == (SUPPORTED, SUPPORTED)
    assert answers((100, 50, 60)) == (SUPPORTED, NOT_SUPPORTED)
    assert answers((20, 50, 60)) == (NOT_SUPPORTED, NOT_SUPPORTED)
    assert answers((300, 50, 100), overlaps=False) == (NOT_TESTABLE, NOT_TESTABLE)
    smaller = (Weights("llm", "published", "made", parameters=500_000_000),)
    assert answers((300, 50, 100), weights=smaller) == (NOT_TESTABLE, NOT_TESTABLE)
    dummy = (Weights("llm", "dummy", "seed 0", parameters=8_030_300_000),)
    assert answers((300, 50, 100), weights=dummy) == (NOT_TESTABLE, NOT_TESTABLE)
    assert answers((300, 50, 100), weights=dummy, options={"matched": True}) == (SUPPORTED, SUPPORTED)


def test_5_leaves_open_what_the_interval_leaves_open() -> None:
    varied = [(40.0 + 60 * (clip % 2 * 2 - 1), 50.0, 60.0) for clip in range(CLIPS)]
    found = judged({"c": cascade(varied), "d": direct((40, 50, 60))})
    assert (found[5].answer, found[5].needed) == (NOT_TESTABLE, "more clips: the interval is too wide to decide")


def test_6_needs_a_sweep_with_judged_speech_and_7_and_8_more_than_a_run() -> None:
    swept = {f"d{units}": direct(options={"chunk-units": str(units)}) for units in (10, 40)}
    found = judged(swept)
    assert found[6].answer == NOT_TESTABLE
    assert "chunk-units 10: first packet 150 ms" in found[6].measured
    assert (found[7].answer, found[8].answer) == (NOT_TESTABLE, NOT_TESTABLE)


@pytest.mark.parametrize("weights", [(), (Weights("llm", "none", "script"),)])
def test_scripts_support_nothing(weights: tuple[Weights, ...]) -> None:
    found = judged({"c": cascade(weights=weights), "d": direct(weights=weights)})
    assert {each.answer for each in found.values()} == {NOT_TESTABLE}
    assert all(not each.measured for each in found.values())
