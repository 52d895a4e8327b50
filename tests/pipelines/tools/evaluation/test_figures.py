"""Figures of an exam worked out by hand: accuracy, accuracy without listening, and propagated errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from support.quality_runs import JUDGE, NOISE, SILENCE, SPEECH, demo_clips, known_run, reply_of, write_lines

from firstpacket.bench.quality.record import HeardReply, Judge
from firstpacket.bench.quality.wer import VERSION
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.timing.spans import Text, TurnTrace
from firstpacket.pipelines.tools.evaluation.figures import (
    against_first,
    best_constant,
    commonest,
    groups,
    other_clips,
    passed_down,
    transcript_wer,
)
from firstpacket.pipelines.tools.evaluation.questions import Exam, Question
from firstpacket.pipelines.tools.evaluation.replies import Answer, answers_of


def question(number: int, answer: str = "Four.", **changes: object) -> Question:
    text = f"What is two plus number {number}?"
    return Question(**{  # type: ignore[arg-type]
        "clip": f"c{number}", "text": text, "answers": (answer,), "voice": "v", "topic": "sums", "new_text": True,
        "new_answer": False, **changes,
    })  # fmt: skip


def answer(number: int, right: bool, heard: str | None = None, reply: str = "") -> Answer:
    asked = question(number)
    return Answer(asked, "answered", heard, reply or ("Four." if right else "Five."), right)


def right_transcript(number: int) -> str:
    return question(number).text


def test_errors_with_a_wrong_transcript_count_as_propagated() -> None:
    """Of ten clips the cascade mishears four, and answers one of those right; the direct model answers three."""
    cascade = [answer(n, n < 6, right_transcript(n)) for n in range(6)]
    cascade += [answer(n, n == 6, "what is who plus") for n in range(6, 10)]
    direct = [answer(n, n != 9) for n in range(10)]
    found = passed_down("cascade", cascade, "direct", direct)
    assert (found.heard_right.n, found.heard_wrong.n) == (6, 4)
    assert (found.heard_right.first_right, found.heard_right.second_right, found.heard_right.p) == (6, 6, 1.0)
    assert (found.heard_wrong.first_right, found.heard_wrong.second_right) == (1, 3)
    (compared,) = against_first({"cascade": cascade, "direct": direct})
    assert (compared.first, compared.second, compared.pairs.n) == ("cascade", "direct", 10)
    assert (compared.pairs.only_first, compared.pairs.only_second, compared.pairs.p) == (0, 2, 0.5)
    assert compared.pairs.difference is not None and compared.pairs.difference.value == 2 / 10
    swapped = against_first({"direct": direct, "cascade": cascade})[0].pairs.difference
    assert swapped is not None and swapped.value == -2 / 10


def test_reply_errors_are_compared_on_clips_where_both_replies_were_heard() -> None:
    """Two errors in ten words against one in five, which is the same share, and a reply that one alone gave."""
    first = [replace(answer(n, True), reply_errors=(2, 10) if n < 6 else None) for n in range(8)]
    second = [replace(answer(n, True), reply_errors=(1, 5) if n != 5 else (0, 0)) for n in range(8)]
    (compared,) = against_first({"a": first, "b": second})
    assert compared.reply_wer is not None
    assert (compared.reply_wer.value, compared.reply_wer.n) == (0.0, 5)
    (unheard,) = against_first({"a": [answer(1, True)], "b": second[1:2]})
    assert unheard.reply_wer is None


def test_pairs_have_the_same_clips() -> None:
    with pytest.raises(ValueError, match="shorter"):
        passed_down("a", [answer(1, True, "x"), answer(2, True, "x")], "b", [answer(1, True)])


def test_a_constant_answer_is_scored_against_every_clip() -> None:
    """Training says `Five.` most often, these clips ask for `Six.`; ties go by alphabet, whatever the order."""
    questions = tuple(question(n, said) for n, said in enumerate(["Six.", "Six.", "Six.", "Five.", "Four."]))
    exam = Exam(questions, Counter({"Six.": 2, "Five.": 3, "Always.": 3}))
    assert commonest(exam).answer == "Always." and commonest(exam).right.value == 0.0
    assert commonest(replace(exam, trained_answers=Counter({"five!": 1}))).right.value == 1 / 5
    best = best_constant(exam)
    assert (best.answer, best.right.value, best.right.n) == ("Six.", 3 / 5, 5)


def test_accuracy_on_other_clips_by_hand() -> None:
    """Every pair of a reply and another clip by hand: a is right on b's clip and the other way round, c on none."""
    asked = [question(1, "Four."), question(2, "Four."), question(3, "Six.")]
    said = ["Four.", "Four.", "Nine."]
    answers = [Answer(q, "answered", None, text, text in q.answers) for q, text in zip(asked, said, strict=True)]
    assert other_clips(answers) == 2 / 6
    assert other_clips(answers[:1]) == 0.0


def test_a_constant_label_is_as_accurate_on_other_clips() -> None:
    answers = [Answer(question(n, "Six." if n < 3 else "Five."), "answered", None, "Six.", n < 3) for n in range(10)]
    assert other_clips(answers) == pytest.approx(3 / 10)


def test_every_answer_is_in_exactly_one_group() -> None:
    answers = [
        Answer(question(n, voice="ab"[n % 2], new_text=n < 4), "answered", right_transcript(n), "Four.", n % 2 == 0)
        for n in range(10)
    ]
    found = groups(answers)
    assert {name: group.right.value for name, group in found["voice"].items()} == {"a": 1.0, "b": 0.0}
    assert {name: group.right.n for name, group in found["question"].items()} == {
        "never trained on": 4,
        "trained on": 6,
    }
    assert all(sum(group.right.n for group in members.values()) == 10 for members in found.values())


def test_errors_of_transcripts_are_all_edits_over_all_words() -> None:
    heard = [replace(answer(n, True), transcript=right_transcript(n).replace("two", "who")) for n in range(8)]
    found = transcript_wer(heard)
    assert found is not None and found.rate is not None
    assert (found.rate.value, found.words) == (8 / 48, 48)
    assert transcript_wer([answer(1, True)]) is None


def test_answers_of_a_run_are_in_the_order_of_the_exam(tmp_path: Path) -> None:
    """A label repeats the question; a silent one has the same text without audio."""
    clips = demo_clips(3)
    run = read_run(known_run(tmp_path / "run", clips, {"loud": SPEECH, "mute": SILENCE}))
    exam = Exam(
        tuple(
            Question(clip.id, clip.text or "", ((clip.text or "").lower(),), "", "", True, True) for clip in clips[::-1]
        ),
        Counter(),
    )
    heard = [turn for turn in run.turns if turn.label == "loud"][:2]
    write_lines(
        run.path,
        *(
            HeardReply(1, "reply", reply_of(turn), judge, "x", 9, 4, VERSION)
            for turn in heard
            for judge in (Judge("others"), JUDGE)
        ),
    )
    write_lines(run.path, HeardReply(1, "reply", reply_of(heard[0]), JUDGE, "x", 1, 4, VERSION))
    loud, mute = answers_of(run, "loud", exam), answers_of(run, "mute", exam)
    assert [each.reply_errors for each in loud] == [None, (9, 4), (1, 4)], "the last result of the last recogniser"
    assert [each.reply_errors for each in mute] == [None] * 3
    assert [each.question.clip for each in loud] == [clip.id for clip in clips[::-1]]
    assert all(each.right and each.heard_right for each in loud)
    assert [each.outcome for each in mute] == ["silent"] * 3 and not any(each.right for each in mute)


def test_a_label_may_have_no_transcripts_but_a_turn_without_one_is_an_error(tmp_path: Path) -> None:
    clips = demo_clips(2)
    exam = Exam(tuple(Question(clip.id, clip.text or "", ("x",), "", "", True, True) for clip in clips), Counter())
    deaf = read_run(known_run(tmp_path / "deaf", clips, {"a": NOISE}, transcript=None))
    assert [each.transcript for each in answers_of(deaf, "a", exam)] == [None, None]
    nothing = read_run(known_run(tmp_path / "nothing", clips, {"a": NOISE}, transcript=""))
    found = answers_of(nothing, "a", exam)
    assert not any(each.heard_right for each in found)
    rate = transcript_wer(found)
    assert rate is not None and rate.rate is not None and rate.rate.value == 1.0


def test_a_failed_turn_among_transcribed_ones_is_a_wrong_transcript(tmp_path: Path) -> None:
    """It left nothing behind; of a label that transcribes this is no missing figure, but all errors."""
    exam = Exam((question(0), question(1)), Counter())
    texts = {"c0": (Text("transcript", question(0).text), Text("reply", "Four.")), "c1": ()}
    outcomes = {"c0": "answered", "c1": "failed"}
    run = SimpleNamespace(
        path=tmp_path,
        manifest=SimpleNamespace(utterances=()),
        turns=[
            SimpleNamespace(
                turn=number, label="a", phase="measured", utterance=clip, outcome=outcomes[clip], evidence_crc32=0
            )
            for number, clip in enumerate(outcomes)
        ],
        evidence=lambda turn: SimpleNamespace(trace=TurnTrace(texts=texts[turn.utterance])),
    )
    fine, failed = answers_of(cast(Run, run), "a", exam)
    assert fine.right and fine.heard_right
    assert failed.transcript == "" and not failed.heard_right and not failed.right
