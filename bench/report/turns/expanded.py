"""Details of every turn: its trace, within a time budget, and its audio, within a size budget."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from firstpacket.bench.analysis.turn_trace import checked_turn
from firstpacket.bench.errors import RunError
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.turns.audio_choice import Sound, SoundMaker
from firstpacket.bench.report.turns.details import Detail, closed, opened
from firstpacket.bench.report.turns.ordering import in_order_of_interest
from firstpacket.bench.report.turns.recordings import Recordings

MOST_TRACES = 800
"""Traces read of a run: each takes about 4 ms, and a report must be ready within 10 s."""


@dataclass(frozen=True, slots=True)
class Open:
    """A turn's details, and what a listener would have heard."""

    detail: Detail
    sound: Sound


def expanded(run: Run, ranked: Mapping[int, int], corpus: Recordings, sound_bytes: int) -> dict[int, Open]:
    """All turns by number; traces are read and audio encoded in order of interest, until the budgets are used up."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sounds = SoundMaker(pool, corpus, sound_bytes)
        details = list(_details(run, ranked, corpus, sounds))
        return {detail.turn.turn: Open(detail, sounds.made(detail.turn.turn)) for detail in details}


def _details(run: Run, ranked: Mapping[int, int], corpus: Recordings, sounds: SoundMaker) -> Iterator[Detail]:
    clips = {facts.id: facts for facts in run.manifest.utterances}
    for place, turn in enumerate(in_order_of_interest(run, ranked)):
        asked, answers = clips.get(turn.utterance), corpus.answers.get(turn.utterance, ())
        if place >= MOST_TRACES:
            left_out = (
                f"Trace not included: the run has too many turns. See: bench trace {run.path.name} --turn {turn.turn}"
            )
            yield closed(turn, asked, answers, left_out)
            continue
        try:
            one = checked_turn(run, turn)
        except RunError as error:
            yield closed(turn, asked, answers, str(error))
            continue
        sounds.begin(one, asked)
        yield opened(one, asked, answers)
