from __future__ import annotations

from itertools import pairwise

from firstpacket.bench.metrics.definitions import (
    FIRST_AUDIBLE,
    HEADLINE,
    TURN_METRICS,
    Quality,
    Shown,
    metric,
    shown_in,
)


def test_wider_places_show_what_narrower_ones_show_in_the_same_order() -> None:
    names = [known.name for known in TURN_METRICS]
    for narrow, wide in pairwise(Shown):
        inner, outer = shown_in(narrow, names), shown_in(wide, names)
        assert [known for known in outer if known in inner] == inner
        assert len(outer) > len(inner)


def test_what_is_not_there_is_not_shown() -> None:
    assert [known.name for known in shown_in(Shown.COMPARISON, ["reply_audio", "packets", HEADLINE])] == [
        HEADLINE,
        "reply_audio",
    ]


def test_the_moments_of_an_answer() -> None:
    answers = [known.name for known in TURN_METRICS if known.is_answer]
    assert answers == [HEADLINE, FIRST_AUDIBLE, "gapless_first_audio"]
    assert all(known.start == "t0" for known in TURN_METRICS if known.is_answer)


def test_what_is_followed_over_time_is_a_time() -> None:
    followed = [known for known in TURN_METRICS if known.followed]
    assert followed
    assert all(known.unit == "ns" for known in followed)


def test_stage_metrics_are_shown_on_request_and_are_no_answers() -> None:
    known = metric("stage.tts.host")
    assert known.shown == Shown.ON_REQUEST
    assert not known.is_answer
    assert known.heading == "tts (host)"


def test_what_is_pooled_into_quality_is_no_time() -> None:
    pooled = [known for known in TURN_METRICS if known.quality]
    assert pooled
    assert all(known.unit != "ns" for known in pooled)


def test_trouble_lies_above_or_below() -> None:
    both = Quality("mean", bad_above=0.5, bad_below=0.1)
    assert [both.is_bad(value) for value in (0.05, 0.1, 0.3, 0.5, 0.6)] == [True, False, False, False, True]
    assert not Quality("mean").is_bad(1e9)
