"""What a run must know of the recordings of its corpus, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.corpus.estimates import FAR_APART_MS, spread_ms
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.format import counted

_SHOWN = 5
_NOTICES = {
    "estimated": "have an estimated end of speech, and latencies are measured from it, so they are only as accurate as"
    " the estimate; for accurate ones, set speech_end_ms for each recording in a manifest",
    "disputed": "are flagged: detectors differ from their end of speech, or from each other, by more than"
    f" {FAR_APART_MS:g} ms, and every latency on them is as uncertain; run `bench corpus check` to see all ends,"
    " listen, and correct the manifest if it is wrong",
    "doubtful-end": "are flagged: noise close to the speech in level, slow fading, or a steady sound after it makes the"
    f" estimated end uncertain by more than {FAR_APART_MS:g} ms, and every latency on them is as uncertain; run `bench"
    " corpus check`, listen, and set speech_end_ms in a manifest",
    "no-speech": "hold nothing that sounds like speech, so all of their length counts as speech; listen to them",
    "silent": "are silent (never above -75 dBFS), so answers to them mean little",
    "quiet": "are very quiet (never above -50 dBFS), which may impair speech recognition; export them louder",
    "clipped": "are clipped (more than 0.1 % of samples at full scale), which may impair speech recognition",
    "unstated-length": "do not state their length (their header has a placeholder, or counts only the first of several"
    " parts) and were read to the end of the file, so one that was cut off would not be noticed",
    "mixed": "have several channels, which were mixed (their mean); to use one of them, choose it with --channel",
    "one-channel": "have several channels, of which only one holds sound; that one is used",
    "opposite-phase": "have channels in opposite phase, which cancel out when mixed, so only the loudest is used;"
    " choose one yourself with --channel",
    "one-speaker-per-channel": "have different speakers in their channels, which were mixed (their mean), so speech"
    " ends with the last speaker; choose the user's channel with --channel left or --channel right",
    "trimmed": "were cut by --trim-to, so their text may be longer than the speech",
}
"""By mark of a recording, or what is found of its end of speech."""


def of_recordings(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Of what is notable about them, and how many of them it concerns."""
    said = []
    for mark, text in _NOTICES.items():
        ids = [one.id for one in utterances if mark in (*one.marks, one.speech_end_source, *_disputed(one))]
        if ids:
            shown = ", ".join(ids[:_SHOWN]) + (", …" if ids[_SHOWN:] else "")
            said.append(f"{len(ids)} of {len(utterances)} recordings {text} ({shown}).")
    return tuple(said)


def _disputed(one: Utterance) -> tuple[str, ...]:
    return ("disputed",) if spread_ms(one.speech_end_ms, one.speech_end_estimates_ms) > FAR_APART_MS else ()


def of_drawing(every: int, drawn: int) -> tuple[str, ...]:
    """Of a large corpus, of which only some recordings are loaded."""
    if drawn == every:
        return ()
    return (
        f"Of the {every} recordings of the corpus, the {drawn} that this run draws were decoded and checked, and the"
        " corpus's hash covers these; runs with the same --turns and --seed draw the same. `bench corpus check` checks"
        " all.",
    )


def of_later_turns(count: int) -> tuple[str, ...]:
    """Of turns of dialogues that are not played."""
    if not count:
        return ()
    return (f"Only the first turn of each dialogue is played; omitted: {counted(count, 'later turn')}.",)
