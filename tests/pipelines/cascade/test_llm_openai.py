"""The engine openai against a server in this process: its requests, its marks, and what it tries when it is loaded."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace

pytest.importorskip("httpx2")

from support.llm_engine import KEY, SAID, answering, loaded, marks, plain, streamed, turn
from support.llm_server import Answer, Scripted, delta

from firstpacket.pipelines.cascade.llm.openai import loading


@pytest.fixture
def server() -> Iterator[Scripted]:
    with answering() as made:
        yield made


def test_every_event_is_a_piece(server: Scripted) -> None:
    pieces, trace = turn(loaded(server))
    assert pieces == SAID
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    assert [mark.at_ns for mark in trace.marks] == sorted(mark.at_ns for mark in trace.marks)


def test_pieces_come_as_soon_as_they_are_sent(server: Scripted) -> None:
    """The server sends the second one only when the first was received."""

    def script(answer: Answer) -> None:
        answer.stream([delta("one")], end=False)
        assert answer.server.over.wait(5)
        for data in (delta(" two"), delta(finish="stop"), "[DONE]"):
            answer.send(f"data: {data}\n\n".encode())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    pieces = loaded(server).reply("Why?", Trace(MonotonicClock()))
    assert next(pieces) == "one"
    server.over.set()
    assert list(pieces) == [" two"]


def test_the_request_has_the_documented_fields(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = loaded(server, llm_max_tokens=40, llm_min_tokens=3, llm_temperature=0.5, llm_top_p=0.9)
    turn(model, " Why? ")
    path, headers, body = server.asked[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    system, user = body.pop("messages")
    assert system["role"] == "system"
    assert "spoken" in system["content"]
    assert user == {"role": "user", "content": "Why?"}
    assert body == {
        "model": "tiny",
        "stream": True,
        "max_tokens": 40,
        "min_tokens": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stream_options": {"include_usage": True},
    }


def test_without_a_key_none_is_sent(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    turn(loaded(server))
    assert not any("Authorization" in headers for _, headers, _ in server.asked)


def test_one_connection_serves_all_turns(server: Scripted) -> None:
    model = loaded(server)
    for _ in range(3):
        assert "llm.connected" not in marks(turn(model)[1])
    assert server.connections == 1


@pytest.mark.parametrize("prepared", [True, False])
def test_a_connection_closed_between_turns_is_remade_before_the_turn_or_marked(
    server: Scripted, prepared: bool
) -> None:
    def script(answer: Answer) -> None:
        answer.stream([delta("Yes."), delta(finish="stop"), "[DONE]"])
        answer.close_connection = True

    server.script = script
    model = loaded(server)
    connected, sessions = [], []
    for _ in range(3):
        said, trace = turn(model, prepared=prepared)
        assert said == ["Yes."]
        connected.append("llm.connected" in marks(trace))
        sessions.append(trace.session is not None)
        assert server.closed.acquire(timeout=5)
    again = [False, True, True]
    assert (connected, sessions) == (([False] * 3, again) if prepared else (again, [False] * 3))


def test_reasoning_is_not_part_of_the_answer(server: Scripted) -> None:
    role = delta(role="assistant", content="")
    events = [role, delta(reasoning_content="Hm"), delta(reasoning="m."), *map(delta, SAID), delta(finish="stop")]
    server.script = lambda answer: answer.stream([*events, "[DONE]"])
    pieces, trace = turn(loaded(server))
    assert pieces == ["", "", *SAID]
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    token, answer = (mark.at_ns for mark in trace.marks[1:])
    assert token <= answer, "those that arrive together have one time"


def test_token_counts_are_recorded_if_sent(server: Scripted) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 5}})
    server.script = lambda answer: answer.stream([*map(delta, SAID), delta(finish="stop"), usage, "[DONE]"])
    model = loaded(server)
    pieces, trace = turn(model)
    assert pieces == SAID
    assert trace.usage is not None and (trace.usage.prompt_tokens, trace.usage.reply_tokens) == (31, 5)
    assert not trace.texts
    assert model.facts() == {
        "llm_model": "tiny",
        "llm_request": "as documented",
        "llm_thoughts": "in tags or fields, if any",
    }


def test_what_the_server_says_of_itself_is_recorded(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.listed, server.pages = {"max_model_len": 512}, {"/version": {"version": f"0.33 {KEY}"}}
    usage = {"prompt_tokens": 31, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}
    end = json.dumps({"choices": [], "usage": usage, "system_fingerprint": f"fp_{KEY}"})
    server.script = server.script_of_trial = streamed(*map(delta, SAID), delta(finish="stop"), end, "[DONE]")
    model = loaded(server)
    assert model.facts() == {
        "llm_model": "tiny",
        "llm_request": "as documented",
        "llm_thoughts": "in tags or fields, if any",
        "llm_context": 512,
        "llm_server": "vLLM",
        "llm_server_version": "0.33 [key]",
        "llm_fingerprint": "fp_[key]",
        "llm_cached_tokens": "reported",
    }
    usage_seen = turn(model)[1].usage
    assert usage_seen is not None and usage_seen.cached_tokens == 16


def test_a_server_that_says_nothing_of_itself_holds_loading_up_only_so_long(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listing(answer: Answer) -> None:
        if answer.path != "/v1/models":
            answer.server.over.wait(10)
        answer.plain(200, {"data": [{"id": "tiny"}]})

    monkeypatch.setattr(Answer, "do_GET", listing)
    monkeypatch.setattr(loading, "ABOUT_S", 0.05)
    assert turn(loaded(server))[0] == SAID
    assert not server.over.is_set()


def test_a_server_that_refuses_usage_counts_gets_a_retry_without_them(server: Scripted) -> None:
    def warm_up(answer: Answer) -> None:
        if "stream_options" in server.asked[-1][2]:
            return answer.plain(400, {"error": {"message": "Unknown parameter: stream_options"}})
        return answer.stream([delta("Hi", "length"), "[DONE]"])

    server.script_of_warm_up = warm_up
    model = loaded(server)
    assert turn(model)[0] == SAID
    assert "stream_options" not in server.asked[-1][2]
    assert model.facts()["llm_request"] == "stream_options not sent"


SILENT: list[tuple[list[str], list[str], str]] = [
    ([delta("", role="assistant"), delta(finish="stop")], [], "the server's reply has no text"),
    ([delta(" \n"), delta(finish="stop")], ["llm.first_token"], "the server's reply has no text"),
    ([delta(reasoning="Hm."), delta(finish="stop")], ["llm.first_token"], "the server's reply has thoughts alone"),
    (
        [delta("<think>Hm"), delta(finish="length")],
        ["llm.first_token"],
        "the reply was cut off after 128 tokens (llm-max-tokens) and has thoughts alone",
    ),
    (
        [delta(refusal="I can"), delta(refusal="not."), delta(finish="stop")],
        [],
        "the model refused to answer: I cannot.",
    ),
    ([delta(finish="content_filter")], [], "the server's content filter withheld the reply"),
    (
        [delta(tool_calls=[{"function": {"name": "get_time"}}]), delta(finish="tool_calls")],
        [],
        "the model called the tool get_time instead of answering",
    ),
]


@pytest.mark.parametrize(("events", "tokens", "why"), SILENT, ids=[why for *_, why in SILENT])
def test_a_reply_without_an_answer_is_no_error_and_says_why(
    server: Scripted, events: list[str], tokens: list[str], why: str
) -> None:
    server.script = streamed(*events, "[DONE]")
    pieces, trace = turn(loaded(server))
    assert "".join(pieces).strip() == ""
    assert marks(trace) == ["llm.first_byte", *tokens]
    assert [(text.kind, text.text) for text in trace.texts] == [("shortcoming", why)]


def test_an_answer_that_the_filter_cut_off_says_so(server: Scripted) -> None:
    server.script = streamed(delta("Well,"), delta(finish="content_filter"), "[DONE]")
    pieces, trace = turn(loaded(server))
    assert pieces == ["Well,"]
    assert [text.text for text in trace.texts] == ["the server's content filter cut the reply off"]


def test_white_space_is_a_token_and_no_text(server: Scripted) -> None:
    server.script = streamed(delta("\n"), delta("Yes."), delta(finish="stop"), "[DONE]")
    pieces, trace = turn(loaded(server))
    assert pieces == ["\n", "Yes."]
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
    assert trace.marks[1].at_ns <= trace.marks[2].at_ns


THOUGHTS_ONLY_CLOSED = [delta("The user asks. "), delta("</think>"), *map(delta, SAID), delta(finish="stop"), "[DONE]"]


def test_a_model_that_only_closes_its_thoughts_is_found_at_loading(server: Scripted) -> None:
    server.script = server.script_of_trial = streamed(*THOUGHTS_ONLY_CLOSED)
    model = loaded(server)
    assert model.facts()["llm_thoughts"] == "closed without being opened"
    pieces, trace = turn(model)
    assert "".join(pieces) == "The sky is blue."
    assert marks(trace) == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]


def test_thoughts_that_loading_did_not_show_mark_the_turn(server: Scripted) -> None:
    server.script = streamed(*THOUGHTS_ONLY_CLOSED)
    pieces, trace = turn(loaded(server))
    assert "".join(pieces) == "The user asks. The sky is blue."
    assert "llm.thoughts_unclear" in marks(trace)


def test_a_server_that_takes_only_the_new_name_is_measured(server: Scripted) -> None:
    def warm_up(answer: Answer) -> None:
        if "max_tokens" in server.asked[-1][2]:
            return answer.plain(400, {"error": {"message": "Use 'max_completion_tokens'", "param": "max_tokens"}})
        return answer.stream([delta("Hi", "length"), "[DONE]"])

    server.script_of_warm_up = warm_up
    model = loaded(server)
    assert turn(model)[0] == SAID
    body = server.asked[-1][2]
    assert body["max_completion_tokens"] == 128 and "max_tokens" not in body
    assert model.facts()["llm_request"] == "max_tokens is sent as max_completion_tokens"


def test_a_model_that_needs_room_to_think_is_loaded_with_more_tokens(server: Scripted) -> None:
    server.script_of_warm_up = plain(400, {"error": {"message": "Could not finish: max_tokens was reached"}})
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("answer", [lambda answer: answer.hang_up(), lambda answer: answer.plain(400, "too long")])
def test_a_trial_that_fails_does_not_fail_the_load(server: Scripted, answer: Callable[[Answer], None]) -> None:
    server.script_of_trial = answer
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("done", [["[DONE]"], []])
def test_a_stream_that_stays_open_after_the_reply_holds_nothing_up(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, done: list[str]
) -> None:
    ended = Event()

    def script(answer: Answer) -> None:
        answer.stream([*map(delta, SAID), delta(finish="stop"), *done], end=False)
        answer.server.over.wait(10)
        ended.set()

    monkeypatch.setattr(loading, "END_S", 0.05)
    server.script = server.script_of_trial = script
    model = loaded(server)
    for _ in range(2):
        assert turn(model)[0] == SAID
    assert not ended.is_set(), "they were still open"


@pytest.mark.parametrize("streamed", [True, False])
def test_a_reply_that_is_collected_on_its_way_is_noticed(server: Scripted, streamed: bool) -> None:
    events = [*map(delta, "abcdefghij"), delta(finish="stop"), "[DONE]"]

    def script(answer: Answer) -> None:
        assert not answer.server.over.wait(0.05)
        answer.stream(events[:5] if streamed else events, end=not streamed)
        if streamed:
            assert not answer.server.over.wait(0.05)
            for data in events[5:]:
                answer.send(f"data: {data}\n\n".encode())
            answer.wfile.write(b"0\r\n\r\n")

    server.script_of_trial = script
    notices = loaded(server).notices()
    assert ["did not stream" in notice for notice in notices] == ([] if streamed else [True])


def test_compressed_events_are_read_as_they_come(server: Scripted) -> None:
    def script(answer: Answer) -> None:
        compressor = zlib.compressobj(wbits=31)
        answer.begin(Content_Encoding="gzip")
        for data in (*map(delta, SAID), delta(finish="stop"), "[DONE]"):
            answer.send(compressor.compress(f"data: {data}\n\n".encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))
        answer.send(compressor.flush())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    assert turn(loaded(server))[0] == SAID


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-ndjson"])
def test_events_count_whatever_their_content_type(server: Scripted, kind: str) -> None:
    def script(answer: Answer) -> None:
        answer.begin(kind)
        for data in (*map(delta, SAID), delta(finish="stop"), "[DONE]"):
            answer.send(f"data: {data}\n\n".encode())
        answer.wfile.write(b"0\r\n\r\n")

    server.script = script
    assert turn(loaded(server))[0] == SAID
