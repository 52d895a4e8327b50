"""A label's quality as plain JSON values: `labels.LABEL.quality` of `bench show --json`. Absent figures are null."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.quality.findings import Accuracy, ErrorRate, LabelQuality
from firstpacket.bench.stats.bootstrap import Estimate


def quality_json(found: LabelQuality) -> dict[str, Any]:
    """What is known of the label's quality.

    transcript_wer   value low high n words why_none: of the transcripts, against the corpus' texts
    answers          value low high n clips why_none: share of turns with an answer that the corpus accepts
    reply_wer        the same of the replies' audio, against their texts, by the recogniser asked last
    heard_by[]       recogniser reply_wer own_wer words_heard: every recogniser; own_wer is on the corpus' clips
    scores[]         scorer value low high n least most
    pace             value low high n implausible: letters and digits per second, median
    silence level    value low high n: mean share of silent windows; median level in dBFS
    ends_loud        share of the replies
    clipped offset   value low high n: mean share of clipped samples; mean size of the offset
    """
    audio = found.audio
    return {
        "transcript_wer": _rate(found.transcript),
        "answers": _accuracy(found.answers),
        "reply_wer": _rate(found.reply),
        "heard_by": [
            {
                "recogniser": heard.recogniser,
                "reply_wer": _rate(heard.reply),
                "own_wer": _rate(heard.own),
                "words_heard": heard.words_heard,
            }
            for heard in found.heard
        ],
        "scores": [
            {"scorer": score.scorer, **_estimate(score.mean), "least": score.least, "most": score.most}
            for score in found.scores
        ],
        "pace": {**_estimate(found.pace.median), "implausible": found.pace.implausible} if found.pace else None,
        "silence": _estimate(found.silence) if found.silence else None,
        "level": _estimate(found.level_db) if found.level_db else None,
        "ends_loud": found.ends_loud,
        "clipped": _estimate(audio.clipped_share) if audio else None,
        "offset": _estimate(audio.offset) if audio else None,
    }


def _rate(found: ErrorRate) -> dict[str, Any]:
    return {**_estimate(found.rate), "words": found.words, "why_none": found.why_none or None}


def _accuracy(found: Accuracy) -> dict[str, Any]:
    share = found.share
    return {
        "value": share.value if share else None,
        "low": share.interval.low if share else None,
        "high": share.interval.high if share else None,
        "n": share.n if share else 0,
        "clips": share.clusters if share else 0,
        "why_none": found.why_none or None,
    }


def _estimate(found: Estimate | None) -> dict[str, Any]:
    interval = found.interval if found else None
    return {
        "value": found.value if found else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "n": found.n if found else 0,
    }
