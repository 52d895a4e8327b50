"""An event of a chat-completions stream → what it says of the reply."""

from __future__ import annotations

import pytest

from firstpacket.pipelines.remote.http.chat import Chunk, Usage, parse
from firstpacket.pipelines.remote.http.events import Event
from firstpacket.pipelines.remote.problems import ServerError


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        ('{"error": {"message": "out of memory", "type": "server_error"}}', "out of memory"),
        ('{"error": "out of memory"}', "out of memory"),
        ('{"error": true, "message": "out of memory"}', "out of memory"),
        ('{"object": "error", "message": "too long", "code": 400}', "too long"),
        ('{"detail": "too long"}', "too long"),
        ('{"message": "too long", "choices": []}', "too long"),
        ('{"choices": [{"delta": {"content": ""}, "finish_reason": "error"}], "error": {"message": "gone"}}', "gone"),
        ('{"choices": [{"error": {"message": "gone"}, "delta": {}}]}', "gone"),
        ('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}', "seed: Extra inputs"),
        ('{"error": {"message": "Unknown parameter", "param": "seed"}}', r"Unknown parameter \(seed\)"),
        (
            '{"error": {"message": "Provider error", "metadata": {"raw": "overloaded"}}}',
            r"Provider error \(overloaded\)",
        ),
        ('{"errors": [{"message": "one"}, {"message": "two"}]}', "one; two"),
        ('{"error": {"code": 500}}', '"code": 500'),
        ('{"error": ' * 600 + "1" + "}" * 600, "mid-stream"),
    ],
)
def test_an_error_object_says_what_the_server_said(data: str, reported: str) -> None:
    with pytest.raises(ServerError, match=f"it reported an error mid-stream: .*{reported}|{reported}") as raised:
        parse(Event(data))
    assert len(str(raised.value)) < 400 and "\n" not in str(raised.value)


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    for data in ("it broke", '"it broke"', '{"what": "it broke"}', "{"):
        with pytest.raises(ServerError, match="an error mid-stream"):
            parse(Event(data, "error"))


@pytest.mark.parametrize("event", [Event("still here", "ping"), Event("{}"), Event('{"type": "ping"}', "ping")])
def test_keep_alives_of_gateways_say_nothing(event: Event) -> None:
    assert parse(event) == Chunk()


def test_a_chunk_in_its_variants() -> None:
    def of(delta: str, more: str = "") -> Chunk:
        return parse(Event('{"choices": [{"delta": ' + delta + more + "}]}"))

    assert of('{"role": "assistant", "content": null}') == Chunk(has_choice=True)
    assert of('{"content": "Yes"}, "finish_reason": "stop"') == Chunk("Yes", has_choice=True, finish="stop")
    parts = '[{"type": "thinking", "thinking": [{"text": "Hm"}]}, {"type": "text", "text": "Yes"}]'
    assert of('{"content": ' + parts + "}") == Chunk("Yes", reasons=True, has_choice=True)
    assert of('{"reasoning_details": [{"text": "Hm"}]}').reasons
    assert of('{"refusal": "No."}').refusal == "No."
    call = of('{"tool_calls": [{"index": 0, "function": {"name": "get_time"}}]}')
    assert call.calls and call.called == "get_time"
    assert parse(Event('{"choices": [{"message": {"content": "Yes"}}]}')).content == "Yes"


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2}', Usage(9, 2)),
        (
            '"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}',
            Usage(9, 2, 4),
        ),
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 0}', Usage(9, 2, 0)),
        ('"usage": {"prompt_tokens": 9, "completion_tokens": 2}, "timings": {"cache_n": 5}', Usage(9, 2, 5)),
        ('"usage": {"prompt_tokens": -1, "completion_tokens": true}', None),
        ('"usage": 7', None),
    ],
)
def test_token_counts_include_those_from_the_cache(said: str, usage: Usage | None) -> None:
    assert parse(Event('{"choices": [], ' + said + "}")).usage == usage
