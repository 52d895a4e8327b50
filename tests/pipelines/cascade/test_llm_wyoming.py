"""The agent behind a Wyoming server, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.wyoming_engine import Rig, received, texts
from support.wyoming_server import MS, Behaviour, agent, info, program, requests
from wyoming.event import Event, Eventable
from wyoming.handle import Handled, HandledChunk, HandledStop, NotHandled
from wyoming.intent import Intent, IntentsStart, IntentsStop, NotRecognized

from firstpacket.bench.errors import UsageError
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.pipelines.cascade.llm.wyoming import WyomingLLM

Make = Callable[..., Rig[WyomingLLM]]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda behave, **options: Rig(monkeypatch, WyomingLLM, behave, **options)


def turn(made: Rig[WyomingLLM], text: str = "What time is it?") -> tuple[list[tuple[str, float]], TurnTrace, int]:
    """Pieces with the ms at which they came, the trace, and when the turn began."""
    trace = made.prepared()
    begun_ns = made.clock.now_ns()
    pieces = [(piece, (made.clock.now_ns() - begun_ns) / MS) for piece in made.engine.reply(text, trace)]
    return pieces, trace.finish(), begun_ns


def answering(service: str, *events: Eventable | Event) -> Behaviour:
    """Sends these events, 10 ms apart, for every request."""

    def behave(peer: Any) -> None:
        first = "recognize" if service == "intent" else "transcript"
        for _ in requests(peer, info(**{service: program(service)}), first):
            for event in events:
                peer.after(10).send(event)

    return behave


def test_a_whole_answer(rig: Make) -> None:
    made = rig(agent("It is noon.", answer_ms=100)).loaded()
    pieces, trace, begun_ns = turn(made)
    assert pieces == [("It is noon.", 100)]
    assert received(trace, begun_ns) == [("handled", 100)]
    _, request = made.server.peers[-1].received[-1]
    assert (request.type, request.data) == ("transcript", {"text": "What time is it?"})


def test_an_answer_in_pieces_is_not_said_twice(rig: Make) -> None:
    made = rig(agent(pieces=("It is", " noon."), answer_ms=40)).loaded()
    for _ in range(2):
        pieces, trace, begun_ns = turn(made)
        assert pieces == [("It is", 40), (" noon.", 80)]
        assert received(trace, begun_ns)[-1] == ("handled", 80)


def test_pieces_alone_are_an_answer(rig: Make) -> None:
    made = rig(answering("handle", HandledChunk("Yes"), HandledChunk("."), HandledStop())).loaded()
    assert turn(made)[0] == [("Yes", 10), (".", 20)]


def test_an_intent_with_a_text(rig: Make) -> None:
    made = rig(answering("intent", Intent("TurnOn", text="Done."))).loaded()
    assert turn(made, "light on")[0] == [("Done.", 10)]
    assert made.server.peers[-1].received[-1][1].data == {"text": "light on"}


def test_several_intents(rig: Make) -> None:
    said = (IntentsStart(), Intent("A", text="One."), Intent("B"), Intent("C", text="Three."), IntentsStop())
    pieces, trace, _ = turn(rig(answering("intent", *said)).loaded())
    assert pieces == [("One.", 20), (" Three.", 40)]
    assert not texts(trace)


@pytest.mark.parametrize(
    ("service", "event", "why"),
    [
        ("handle", NotHandled("I do not\nknow"), "the server did not handle the request: I do not know"),
        ("handle", NotHandled(), "the server did not handle the request"),
        ("intent", NotRecognized(), "the server did not recognise the request"),
        ("intent", Intent("TurnOn"), "the server recognised the intent TurnOn, for which it has no text"),
        ("handle", Handled(), "the server's answer is empty"),
        ("handle", Handled("  "), "the server's answer is empty"),
    ],
)
def test_no_answer_has_a_reason(rig: Make, service: str, event: Eventable, why: str) -> None:
    pieces, trace, _ = turn(rig(answering(service, event)).loaded())
    assert not "".join(piece for piece, _ in pieces).strip()
    assert texts(trace) == [why]


def test_the_service_can_be_chosen(rig: Make) -> None:
    both = info(handle=program("handle"), intent=program("intent"))

    def behave(peer: Any) -> None:
        for _ in requests(peer, both, "recognize"):
            peer.send(Intent("A", text="Chosen."))

    assert turn(rig(behave, llm_service="intent").loaded())[0] == [("Chosen.", 0)]
    assert rig(behave).loaded().engine.facts()["llm_service"] == "handle"


def test_a_server_without_either_service(rig: Make) -> None:
    with pytest.raises(UsageError, match=r"does not offer an agent \(handle\) or intent recognition \(intent\)"):
        rig(answering("asr")).loaded()


def test_a_reply_that_is_left_ends_the_connection(rig: Make) -> None:
    made = rig(agent(pieces=("One", " two"), answer_ms=40)).loaded()
    trace = made.prepared()
    pieces = made.engine.reply("Count", trace)
    assert next(pieces) == "One"
    pieces.close()  # type: ignore[attr-defined]
    assert [piece for piece, _ in turn(made)[0]] == ["One", " two"], "nothing of the turn before"
    assert len(made.server.peers) == 3
