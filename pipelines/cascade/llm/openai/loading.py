"""What is learned of a server at loading, so that turns are the same requests, and nothing else.

In this order: which model, which fields it accepts, what it says of itself, and how a whole reply of it looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from firstpacket.bench.pipeline import OptionValue, Settings
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.openai.about import about
from firstpacket.pipelines.cascade.llm.openai.fields import Accepted, Body, documented, negotiate
from firstpacket.pipelines.cascade.llm.openai.reply import asked
from firstpacket.pipelines.cascade.llm.openai.thoughts import Thoughts
from firstpacket.pipelines.remote.address import is_nearby
from firstpacket.pipelines.remote.http.chat import Chunk, chunks
from firstpacket.pipelines.remote.http.recording import came_at_once
from firstpacket.pipelines.remote.http.server import Server
from firstpacket.pipelines.remote.problems import ServerError, short

GREETING = "Hello."
"""The user's text of requests at loading."""
TRIAL_TOKENS = 1024
"""Thoughts are often longer than the reply of a turn may be, and the trial must see their end."""
ABOUT_S = 3.0
TRIAL_S, TRIAL_REPLY_S = 10.0, 30.0
"""How long a trial waits for the first token, and for the rest of the reply."""
ENOUGH_TO_TELL = 8
"""Events of a reply that must have been made one after the other."""
END_S = 1.0
"""How long a stream may stay open after the reply before it counts as one that stays open."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a whole reply showed."""

    unopened: bool = False
    """Whether the model closes thoughts that it never opens."""
    ends_at_finish: bool = False
    """Whether its stream stays open after the finish reason, without a word."""
    streamed: bool = True
    """False if a reply of several events came at once."""
    facts: dict[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learned:
    """What turns need to know, and what is recorded."""

    model: str
    accepted: Accepted
    about: dict[str, OptionValue]
    trial: Trial


def learn(server: Server, settings: Settings, model: str) -> Learned:
    """Learn all of it. Raises `UsageError` if the model is not clear, `ServerError` if the server refuses to answer."""
    model, listed = server.chosen_model(model)

    def wanted(longest: int) -> Body:
        return documented(settings, model, GREETING, longest)

    accepted = _accepted(server, wanted, settings.whole("llm-max-tokens"))
    found = _about(server, listed)
    # More than the server's context may have room for.
    own = settings.whole("llm-max-tokens")
    trials = (_trial(server, accepted.body(wanted(longest))) for longest in (max(TRIAL_TOKENS, own), own))
    return Learned(model, accepted, found, next(filter(None, trials), Trial()))


def _accepted(server: Server, wanted: Callable[[int], Body], longest: int) -> Accepted:
    """What the server accepts, found with replies of one token. Raises `ServerError` if it accepts nothing."""

    def send(body: Body) -> None:
        with asked(server, body, _unrecorded(Cancellation())) as answer:
            for _ in chunks(answer.events()):
                pass

    try:
        return negotiate(send, wanted(1))
    except ServerError as error:
        if "max_" not in str(error):
            raise
    # Some models need room for their thoughts, and refuse to begin without.
    return negotiate(send, wanted(longest))


def _about(server: Server, listed: dict[str, Any]) -> dict[str, OptionValue]:
    """What the server says of itself, as far as it does so soon."""
    with _limited(ABOUT_S) as limit:

        def get(path: str) -> str:
            try:
                return server.text(server.url.removesuffix("/v1") + path, limit.cancellation)
            except TurnCancelled as late:
                raise ServerError("it takes too long") from late

        return about(listed, get, is_nearby(urlsplit(server.url).hostname or ""))


def _trial(server: Server, body: Body) -> Trial | None:
    """Read a whole reply; None if the server refuses. No other failure says anything of turns."""
    thoughts, facts = Thoughts(), dict[str, OptionValue]()
    read = 0
    begun = finished = ended = False
    with _limited(TRIAL_S) as limit:
        trace = _unrecorded(limit.cancellation)
        try:
            with asked(server, body, trace) as answer:
                for chunk in chunks(answer.events()):
                    read += 1
                    thoughts.push(chunk.content)
                    facts |= _facts(server, chunk)
                    if chunk.finish and not finished:
                        finished = True
                        limit.restart(END_S)
                    elif not begun and (chunk.content or chunk.reasons):
                        begun = True
                        limit.restart(TRIAL_REPLY_S)
                ended = True
        except ServerError:
            return None
        except TurnCancelled:
            pass
        streamed = read < ENOUGH_TO_TELL or not came_at_once(trace.finish().messages)
        return Trial(thoughts.closed_unopened, finished and not ended, streamed, facts)


def _facts(server: Server, chunk: Chunk) -> dict[str, OptionValue]:
    facts: dict[str, OptionValue] = {}
    if chunk.fingerprint:
        facts["llm_fingerprint"] = clean(short(server.hidden(chunk.fingerprint)))
    if chunk.usage is not None:
        facts["llm_cached_tokens"] = "not reported" if chunk.usage.cached is None else "reported"
    return facts


def _unrecorded(cancellation: Cancellation) -> Trace:
    return Trace(MonotonicClock(), cancellation=cancellation)


class _Limit:
    """A limit on time: what blocks is cancelled when it is over."""

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self._timer: Timer | None = None

    def restart(self, seconds: float) -> None:
        """Set another limit from now on."""
        self.stop()
        self._timer = Timer(seconds, self.cancellation.cancel)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """End the limit."""
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def _limited(seconds: float) -> Iterator[_Limit]:
    limit = _Limit()
    limit.restart(seconds)
    try:
        yield limit
    finally:
        limit.stop()
