"""The ways to chain a recogniser, a language model and a voice.

    sequential   the textbook cascade: each stage waits for the whole of the one before. The voice gets the complete
                 reply; its first chunk is the first packet.
    streamed     the language model works in a thread of its own and hands over phrase by phrase, so the voice speaks
                 the first one while the rest of the reply is still being written.
    overlapped the strongest baseline: streamed, and the recogniser works while the user speaks, if it can. With file
    input
                 the clip comes at one instant, and this is the same as streamed.

All wait for the complete transcript, as every cascade of this kind does. A turn in which nothing was heard has no
packets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from firstpacket.bench.pipeline import Packet, Samples, Speech
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.trace import HandOff, Trace
from firstpacket.pipelines.cascade.engines import ASR, LLM, TTS
from firstpacket.pipelines.cascade.phrases import Phrases, Splitter, Whole


@dataclass(frozen=True, slots=True)
class Engines:
    """The three that are chained."""

    asr: ASR
    llm: LLM
    tts: TTS


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of the reply, and the hand-off with which it left the language model."""

    text: str
    after: HandOff


Chain = Callable[[Engines, Speech, Trace, str], Iterator[Packet]]


class BufferedSpeech:
    """Speech that is withheld until it is over and then delivered in one piece."""

    def __init__(self, speech: Speech) -> None:
        self.sample_rate = speech.sample_rate
        self.language = speech.language
        self._speech = speech

    def frames(self) -> Iterator[Samples]:
        """Everything, in one piece."""
        yield self.whole()

    def whole(self) -> Samples:
        """Everything."""
        return self._speech.whole()

    @property
    def over(self) -> bool:
        """As of what the microphone delivers."""
        return self._speech.over

    def microphone(self) -> Iterator[Samples]:
        """What the microphone delivers."""
        return self._speech.microphone()


def sequential(engines: Engines, speech: Speech, trace: Trace, first: str) -> Iterator[Packet]:
    """Transcript, then reply, then sound. `first` has no meaning here: the reply is one phrase."""
    transcript, heard = _heard(engines.asr, BufferedSpeech(speech), trace)
    if not transcript:
        return
    for phrase in _thought(engines.llm, transcript, heard, trace, Whole(), Event()):
        yield from _spoken(engines.tts, phrase, trace)


def streamed(engines: Engines, speech: Speech, trace: Trace, first: str) -> Iterator[Packet]:
    """Transcript, then the reply phrase by phrase, each spoken while the next is being written."""
    return overlapped(engines, BufferedSpeech(speech), trace, first)


def overlapped(engines: Engines, speech: Speech, trace: Trace, first: str) -> Iterator[Packet]:
    """Transcript as early as possible, then the reply phrase by phrase, each spoken while the next is being written."""
    transcript, heard = _heard(engines.asr, speech, trace)
    if not transcript:
        return
    stopped = Event()
    phrases = _thought(engines.llm, transcript, heard, trace, Phrases(first), stopped)
    with _in_thread(phrases, trace, stopped) as arriving:
        for phrase in arriving:
            yield from _spoken(engines.tts, phrase, trace)


CHAINS: dict[str, Chain] = {"sequential": sequential, "streamed": streamed, "overlapped": overlapped}


def _heard(asr: ASR, speech: Speech, trace: Trace) -> tuple[str, HandOff]:
    """The transcript (empty if nothing was recognised), and the hand-off with which it left the recogniser."""
    transcript = asr.transcribe(speech, trace)
    heard = trace.hand_off("asr")
    trace.text("transcript", transcript)
    return transcript.strip(), heard


def _thought(
    llm: LLM, transcript: str, heard: HandOff, trace: Trace, splitter: Splitter, stopped: Event
) -> Iterator[Phrase]:
    """Phrases of the reply, with one `llm.prefill` span and one `llm.decode` span for each phrase's tokens.

    No span is open while a phrase is handed over. Ends early once `stopped` is set.
    """
    said: list[str] = []
    pieces = _kept(llm.reply(transcript, trace), said, stopped, trace.cancellation)
    try:
        with trace.stage("llm.prefill", after=heard, gpu=llm.on_gpu) as span:
            piece = next(pieces, None)
            if piece is not None:
                span.first_output()
        ready, stage, ended = splitter.push(piece or ""), "llm.prefill", False
        while True:
            for text in ready:
                yield Phrase(text, trace.hand_off(stage))
            if ended:
                return
            with trace.stage("llm.decode", gpu=llm.on_gpu):
                ready = next(filter(None, map(splitter.push, pieces)), [])
                ended = not ready
                ready = ready or splitter.flush()
            stage = "llm.decode"
    finally:
        pieces.close()
        trace.text("reply", "".join(said))


def _kept(pieces: Iterator[str], said: list[str], stopped: Event, cancellation: Cancellation) -> Generator[str]:
    """The pieces, each noted in `said`, until `stopped` is set. Raises `TurnCancelled`."""
    for piece in pieces:
        if cancellation.cancelled:
            raise TurnCancelled
        if stopped.is_set():
            return
        if not isinstance(piece, str):
            raise TypeError(
                f"the language model yielded {type(piece).__name__}; a piece of the reply must be text (str)"
            )
        said.append(piece)
        yield piece


def _spoken(tts: TTS, phrase: Phrase, trace: Trace) -> Iterator[Packet]:
    """Packets of one phrase; the span `tts` is closed while a packet is with the consumer."""
    text = phrase.text.strip()
    if not any(map(str.isalnum, text)):
        return
    after: HandOff | None = phrase.after
    chunks = iter(tts.speak(text, trace))
    try:
        while True:
            with trace.stage("tts", after=after, gpu=tts.on_gpu):
                chunk = next(chunks, None)
            if chunk is None:
                return
            if not (isinstance(chunk, tuple) and len(chunk) == 2):
                raise TypeError(
                    f"the voice yielded {type(chunk).__name__}; it must yield pairs of samples and their rate"
                )
            samples, rate = chunk
            yield Packet(samples, rate, after=trace.hand_off("tts"))
            after = None
    finally:
        _close(chunks)


@contextmanager
def _in_thread(phrases: Iterator[Phrase], trace: Trace, stopped: Event) -> Iterator[Iterable[Phrase]]:
    """Consume `phrases` in a thread; yields them as they arrive and re-raises its errors here.

    On exit, even early, the thread is stopped and joined.
    """
    inbox = trace.clock.inbox()

    def think() -> None:
        end: BaseException | None = None
        try:
            for phrase in phrases:
                inbox.put(phrase)
        except BaseException as problem:
            end = problem
        inbox.put(end)

    def arriving() -> Iterator[Phrase]:
        while isinstance(item := inbox.get(), Phrase):
            yield item
        if item is not None:
            raise item

    thread = trace.clock.spawn(think, "llm")
    try:
        yield arriving()
    finally:
        stopped.set()
        trace.clock.join(thread)


def _close(iterator: Iterator[object]) -> None:
    """Close a generator; engines may give any iterator."""
    if isinstance(iterator, Generator):
        iterator.close()
