"""One turn of a Realtime session, from its messages alone: whether it is over, and how it ended. No I/O, no clock."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.vocabulary import Outcome
from firstpacket.pipelines.remote.problems import short
from firstpacket.pipelines.remote.realtime.dialect import Dialect
from firstpacket.pipelines.remote.realtime.events import Event, text

MAX_EVENTS = 20_000
"""In one turn: a server that sends more is not replying."""

_ERROR_WORDS: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
    ("limited", ("rate_limit", "quota", "billing", "too_many_requests", "tokens_exceeded")),
    ("busy", ("session_limit", "server_busy", "overloaded", "too_many_sessions", "capacity", "no_slot")),
    ("session_ended", ("session_expired", "session_ended", "session_closed", "session_timeout")),
    (
        "refused",
        ("api_key", "authentication", "permission", "model_not_found", "model_load", "unsupported", "beta_api_shape",
         "unknown_parameter", "invalid_value", "missing_required_parameter", "invalid_type"),
    ),
)  # fmt: skip
"""Outcomes by words in the code or the type of an error; the first match counts."""
CLOSE_CODES: dict[int, Outcome] = {
    1008: "refused",
    1013: "busy",
    **dict.fromkeys((1000, 1001, 1005), "session_ended"),
}
"""Outcomes by the WebSocket close code. Codes from 3000 on are the server's own: it ended the session."""


def outcome_of_error(error: Any) -> tuple[Outcome, str]:
    """The outcome of a turn in which the server reports this error, and its text."""
    if not isinstance(error, dict):
        error = {"message": error}
    words = " ".join(str(error.get(name) or "") for name in ("code", "type")).lower()
    message = short(text(error.get("message")) or words or "an error without a message")
    code = text(error.get("code")) or text(error.get("type"))
    outcome: Outcome = _by_words(words) or "failed"
    return outcome, f"the server reports {short(code)}: {message}" if code else f"the server reports: {message}"


def outcome_of_close(code: int, reason: str) -> tuple[Outcome, str]:
    """The outcome of a turn during which the server ended the connection."""
    why = f": {short(reason)}" if reason else ""
    if code == 1006:
        return "failed", f"the connection broke off{why}"
    outcome = _by_words(reason.lower()) or CLOSE_CODES.get(code) or ("session_ended" if code >= 3000 else "failed")
    return outcome, f"the server ended the session (code {code}){why}"


def _by_words(words: str) -> Outcome | None:
    return next((outcome for outcome, parts in _ERROR_WORDS if any(part in words for part in parts)), None)


class Turn:
    """What has happened in a turn so far."""

    def __init__(self, dialect: Dialect, manual: bool) -> None:
        self._dialect = dialect
        self._manual = manual
        self._events = 0
        self._speaking = False
        """Whether the server hears the user speak."""
        self._items: list[str] = []
        """Ids of the stretches of speech that it took for turns."""
        self._responses = 0
        """Responses under way."""
        self._ended: dict[str, Any] | None = None
        """The last response that ended."""
        self._audio = False
        self._committed_before_reply = False
        """Whether the server committed the user's turn before it began to reply."""
        self._transcript: str | None = None
        self._problem: tuple[Outcome, str] | None = None
        self._tool = ""
        self.speech_over = False
        """Whether all of the user's speech has been sent; set by the side that sends."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come, as far as can be known."""
        if self._problem is not None and not self._responses:
            return True
        goes_on = self._speaking and not self._manual  # some servers' detectors cannot be switched off
        return self.speech_over and self._ended is not None and not self._responses and not goes_on

    @property
    def replying(self) -> bool:
        """Whether the server is still busy with a response."""
        return self._responses > 0

    def received(self, event: Event) -> None:
        """Process the next message. Raises `TurnEnded` if there are too many."""
        self._events += 1
        if self._events > MAX_EVENTS:
            raise TurnEnded("failed", f"the server sent more than {MAX_EVENTS} messages in one turn")
        name, body = event.name, event.body
        if name == "error":
            self._take_error(body.get("error"))
        elif name == "input_audio_buffer.speech_started":
            self._speaking = True
        elif name == "input_audio_buffer.speech_stopped":
            self._speaking = False
        elif name == "input_audio_buffer.committed":
            self._speaking = False
            if (item := text(body.get("item_id"))) not in self._items or not item:
                self._items.append(item)
        elif name == "conversation.item.input_audio_transcription.completed":
            self._transcript = (self._transcript or "") + text(body.get("transcript"))
        elif name == "response.created":
            self._responses += 1
        elif name == "response.output_audio.delta":
            self._take_audio(event)
        elif name == "response.function_call_arguments.done":
            self._tool = text(body.get("name")) or "a tool"
        elif name == self._dialect.response_ends_with:
            self._responses = max(0, self._responses - 1)
            response = body.get("response")
            self._ended = response if isinstance(response, dict) else {}

    def _take_error(self, error: Any) -> None:
        if self._problem is None:
            self._problem = outcome_of_error(error)

    def _take_audio(self, event: Event) -> None:
        if event.audio and not self._audio:
            self._audio = True
            self._committed_before_reply = bool(self._items)

    def judge(self) -> str:
        """Empty if the turn was answered, else why it is silent. Raises `TurnEnded` for every other outcome."""
        status, details = self._status()
        if len(self._items) > 1 and not self._manual:
            raise TurnEnded("split", f"the server split the utterance into {len(self._items)} turns")
        if self._audio and self._dialect.commits and not self._committed_before_reply:
            raise TurnEnded("not_heard", "the server replied before it had committed the user's turn")
        if self._transcript is not None and not self._transcript.strip():
            raise TurnEnded("not_heard", "the server's transcript of the user's speech is empty")
        if self._audio and self._dialect.transcript == "before reply" and self._transcript is None:
            raise TurnEnded("not_heard", "the server replied without having transcribed the user's speech")
        if status == "failed":
            outcome, reason = outcome_of_error(details.get("error"))
            raise TurnEnded(outcome, reason)
        if self._problem is not None and not self._audio:
            raise TurnEnded(*self._problem)
        if self._audio:
            return ""
        if self._tool:
            return f"the model called {short(self._tool)} instead of answering"
        why = text(details.get("reason"))
        return f"the server's reply is {status}{f' ({why})' if why else ''} and has no audio"

    def _status(self) -> tuple[str, dict[str, Any]]:
        ended = self._ended or {}
        details = ended.get("status_details")
        return text(ended.get("status")) or "over", details if isinstance(details, dict) else {}
