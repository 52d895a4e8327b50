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


def test_longer_lists_of_metrics_extend_shorter_ones_in_order() -> None:
    names = [known.name for known in TURN_METRICS]
    for narrow, wide in pairwise(Shown):
        inner, outer = shown_in(narrow, names), shown_in(wide, names)
        assert [known for known in outer if known in inner] == inner
        assert len(outer) > len(inner)


def test_absent_metrics_are_not_shown() -> None:
    assert [known.name for known in shown_in(Shown.COMPARISON, ["reply_audio", "packets", HEADLINE])] == [
        HEADLINE,
        "reply_audio",
    ]


def test_answer_metrics_are_first_packet_audible_and_gapless() -> None:
    answers = [known.name for known in TURN_METRICS if known.is_answer]
    assert answers == [HEADLINE, FIRST_AUDIBLE, "gapless_first_audio"]
    assert all(known.start == "t0" for known in TURN_METRICS if known.is_answer)


def test_metrics_followed_over_time_are_durations() -> None:
    followed = [known for known in TURN_METRICS if known.followed]
    assert followed
    assert all(known.unit == "ns" for known in followed)


def test_stage_metrics_are_shown_only_on_request() -> None:
    known = metric("stage.tts.host")
    assert known.shown == Shown.ON_REQUEST
    assert not known.is_answer
    assert known.heading == "tts (host)"


def test_pooled_quality_metrics_are_not_durations() -> None:
    pooled = [known for known in TURN_METRICS if known.quality]
    assert pooled
    assert all(known.unit != "ns" for known in pooled)


def test_quality_is_bad_above_or_below_its_bounds() -> None:
    both = Quality("mean", bad_above=0.5, bad_below=0.1)
    assert [both.is_bad(value) for value in (0.05, 0.1, 0.3, 0.5, 0.6)] == [True, False, False, False, True]
    assert not Quality("mean").is_bad(1e9)
