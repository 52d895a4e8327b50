"""Quality warnings that belong with every latency: replies that are silent, misheard, no speech or clipped."""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.format import amount, estimated, valued
from firstpacket.bench.quality.findings import ErrorRate, HeardBy
from firstpacket.bench.summary.contents import LabelSummary

BAD_WER = 0.5
"""Above, more is wrong than right."""
MOST = 0.5
"""Share of the turns."""
CLIPPED = 0.001
"""Share of samples at full scale above which clipping is audible."""


def quality_notices(label: LabelSummary) -> Iterator[str]:
    """Quality warnings for one system."""
    name, found = label.label, label.quality
    heard = found.recognisers[-1] if found.recognisers else None
    outcomes = label.outcomes["measured"]
    replies = outcomes["answered"] + outcomes["silent"]
    if label.audible_share is not None and outcomes["silent"] > MOST * replies:
        yield f"{name} is mostly silent: {outcomes['silent']} of {replies} turns have no audible reply."
    elif heard and rate_value(heard.reply) > BAD_WER and rate_value(heard.clips) > BAD_WER:
        yield (
            f"{heard.recogniser} cannot judge whether the replies of {name} are intelligible: reply WER "
            f"{error_rate(heard.reply)}, but its own WER on the corpus' clips is already {error_rate(heard.clips)}. "
            "Listen to the run's audio, or use a better recogniser (bench quality RUN --recogniser ...)."
        )
    elif heard and rate_value(heard.reply) > BAD_WER:
        yield (
            f"{name} is unintelligible to {heard.recogniser}, {own_errors(heard)}: "
            f"reply WER {error_rate(heard.reply)}, {heard.words_heard} words recognised of {heard.reply.words}. "
            "Either its replies are not speech, or the recogniser cannot handle the voice: listen to the run's audio "
            "before you rely on the latency."
        )
    if rate_value(found.transcript) > BAD_WER:
        wer = error_rate(found.transcript)
        yield f"{name} mishears: transcript WER {wer}. It answered a different question."
    if found.pace and found.pace.implausible > MOST * found.pace.median.n:
        pace = valued(found.pace.median.value, "per_s")
        yield (
            f"{name} speaks at an implausible pace in {found.pace.implausible} of {found.pace.median.n} replies "
            f"(median {pace} letters and digits): the audio is hardly its text."
        )
    if found.audio and found.audio.clipped_share.value > CLIPPED:
        share = amount(found.audio.clipped_share.value, "share")
        yield f"{name} is clipped: {share} of its samples are at full scale."


def own_errors(heard: HeardBy) -> str:
    """How much of the figure may be the recogniser's own errors."""
    if heard.clips.rate is None:
        return f"whose own WER is unknown ({heard.clips.reason})"
    return f"whose own WER on the corpus' clips is {error_rate(heard.clips)}"


def error_rate(found: ErrorRate) -> str:
    """As a ratio, with its interval if it has one."""
    return estimated(found.rate, "ratio") if found.rate else "n/a"


def rate_value(found: ErrorRate) -> float:
    """0 if there is none."""
    return found.rate.value if found.rate else 0.0
