"""A redacted copy has no text of the original anywhere, and the same latency figures everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command import here
from support.quality_runs import JUDGE, reply_of, write_lines
from support.remote import FACTS, URL, Server, served_run
from support.runs import make_facts, make_segment

from firstpacket.bench import registry
from firstpacket.bench.compare.between import compare_metrics
from firstpacket.bench.contract import as_json
from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.options import PipelineChoice
from firstpacket.bench.pipeline import Packet, Speech, TurnEnded
from firstpacket.bench.quality import wer
from firstpacket.bench.quality.record import HeardReply
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.store import Run, read_run, require_resumable, to_line
from firstpacket.bench.redact.copy import redact
from firstpacket.bench.redact.messages import redacted_message
from firstpacket.bench.redact.texts import Names, checksum, hosts_in, numbered_clips, without_words
from firstpacket.bench.report.formats import rendered
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.timing.spans import Message
from firstpacket.bench.timing.trace import Trace

PROMPT = "You are the assistant of a bank that nobody knows"
MACHINE = {"cores": 2, "heavy_processes": "game-of-alice (1.3 cores)"}
HEARD = "what the recogniser heard in the reply"


class Refusing(Server):
    """In its third turn it quotes in its reason what the user said, and where it lies."""

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        for packet in super().respond(speech, trace):
            yield packet
            if self.turn == 3:
                raise TurnEnded("refused", f"{URL} refused 'the secret question number 3', key=sk-123456")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = served_run(
        tmp_path_factory.mktemp("redact") / "run",
        Refusing,
        corpus="alice",
        corpus_source="/home/alice/recordings",
        command=("bench", "run", "-p", f"realtime,url={URL}"),
        pipelines=(PipelineChoice("realtime", "realtime", {"url": URL, "instructions": PROMPT}),),
        notices=("the texts of /Users/alice/list.tsv have no end of speech",),
    )
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["labels"][1]["options"]["instructions"] = PROMPT
    manifest["options"]["out"] = "/srv/alice-and-her-bank"
    for number, clip in enumerate(manifest["utterances"]):
        clip |= {"text": f"a question for nobody else {number}", "answers": [f"the one true answer {number}"]}
        clip |= {"speaker": "Alice Example", "dialogue": "call of Alice"}
    (path / "manifest.json").write_text(json.dumps(manifest))
    session = json.dumps({"instructions": PROMPT, "voice": "cedar", "turn_detection": {"silence_duration_ms": 500}})
    facts = make_facts(
        "realtime",
        facts={**FACTS, "session": session, "not_applied": f"instructions: {PROMPT}"},
        code=("/srv/plugins-of-alice",),
        notices=("https://gateway.alice.example/v1 buffers",),
    )
    (path / "segments.jsonl").write_bytes(to_line(make_segment(0, (make_facts("cascade"), facts), environment=MACHINE)))
    run = read_run(path)
    answered = next(turn for turn in run.measured("cascade"))
    write_lines(path, HeardReply(1, "reply", reply_of(answered), JUDGE, HEARD, 3, 7, wer.VERSION))
    (path / "audio").mkdir()
    (path / "audio" / "turn-000001.flac").write_bytes(b"the private answer number 1")
    (path / "worker-realtime.log").write_text("the secret question number 1")
    return path


@pytest.fixture(scope="module")
def copied(original: Path) -> Path:
    return redact(read_run(original), original.with_name("copy")).path


def texts_of(run: Run) -> Iterator[str]:
    """Everything in a run that somebody said, wrote or is called."""
    for clip in run.manifest.utterances:
        yield from (clip.text or "", *clip.answers, clip.speaker, clip.dialogue)
    for turn in run.turns:
        trace = run.evidence(turn).trace
        yield from (text.text for text in trace.texts)
        for message in trace.messages:
            yield from (json.loads(message.body).get("transcript", "") if message.body else "",)
    yield from (PROMPT, HEARD, "/home/alice", "/Users/alice", "voice.example.internal", "sk-123456")


def test_no_text_of_the_original_is_in_the_copy(original: Path, copied: Path) -> None:
    texts = [text for text in texts_of(read_run(original)) if text.strip()]
    assert len(texts) > 40
    files = [file for file in copied.rglob("*") if file.is_file()]
    assert {file.name for file in files} == {
        "manifest.json", "segments.jsonl", "traces.jsonl", "turns.jsonl", "quality.jsonl", "lock"
    }  # fmt: skip
    content = "\n".join(file.read_text() for file in files)
    assert [text for text in texts if text in content or json.dumps(text)[1:-1] in content] == []


def figures(run: Run) -> list[tuple[Any, ...]]:
    return [(turn.turn, turn.outcome, turn.figures, turn.path, turn.flags, turn.hidden) for turn in run.turns]


def test_every_figure_is_the_same(original: Path, copied: Path) -> None:
    assert figures(read_run(copied)) == figures(read_run(original))
    before, after = (as_json(summarise(read_run(path)).labels) for path in (original, copied))
    for a, b in zip(before, after, strict=True):
        assert {name: b[name] for name in ("figures", "path", "warmth", "outcomes", "quality")} == {
            name: a[name] for name in ("figures", "path", "warmth", "outcomes", "quality")
        }


def test_it_can_be_recomputed_shown_and_compared(original: Path, copied: Path) -> None:
    derived = recompute(read_run(copied))
    assert derived.equal, [*map(str, derived.differences), *derived.problems]
    assert any("redacted copy" in notice for notice in derived.notices)
    assert recompute(read_run(original)).figures > derived.figures, "figures from texts are not derived"
    assert "answered" in rendered([read_run(copied)], "html")
    sides = (read_run(original), read_run(copied), ("realtime", "realtime"))
    (found,) = compare_metrics(*sides, ["first_packet_latency"], allowed=["options"])
    assert (found.finding, found.clips) == ("undecided", 7), "one turn was refused"


def test_a_latency_that_was_changed_is_still_found(copied: Path, tmp_path: Path) -> None:
    again = redact(read_run(copied), tmp_path / "again").path
    turns = (again / "turns.jsonl").read_text()
    (again / "turns.jsonl").write_text(turns.replace('"first_packet_latency":410000000', '"first_packet_latency":1', 1))
    assert [each.figure for each in recompute(read_run(again)).differences] == ["first_packet_latency"]


def test_messages_of_the_copy_can_be_replayed(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers within the text within a message are still there; texts are not compared."""
    from firstpacket.bench.timing.spans import ServerFigure, Text, TurnTrace

    class Replaying(Server):
        @classmethod
        def replay(cls, options: Any, trace: TurnTrace) -> TurnTrace:
            bodies = [json.loads(message.body) for message in trace.messages if message.body]
            said = [json.loads(body["response"]["metadata"]["turn_latency"]) for body in bodies if "response" in body]
            figures = [
                ServerFigure(name.removesuffix("_s"), round(s * 1e9)) for each in said for name, s in each.items()
            ]
            return replace(trace, texts=(Text("reply", "other"),), server_figures=tuple(figures))

    monkeypatch.setattr(registry, "pipeline", lambda name: Replaying)
    found = recompute(read_run(copied))
    assert found.equal and found.turns_replayed


def test_reasons_stay_without_what_they_quote(copied: Path) -> None:
    (refused,) = [turn for turn in read_run(copied).turns if turn.outcome == "refused"]
    assert refused.reason == "ws://server-1:8765/v1/realtime refused 'redacted', key=…"


def test_addresses_name_no_hosts_and_options_no_prompts(copied: Path) -> None:
    system = read_run(copied).plan("realtime")
    prompt = system.options.pop("instructions")
    assert system.options == {"url": "ws://server-1:8765/v1/realtime"}
    assert str(prompt).startswith("redacted-") and prompt != checksum("another prompt")
    assert read_run(copied).manifest.corpus_source == "~/recordings"


def test_no_folder_server_or_process_of_the_machine_is_named(copied: Path) -> None:
    (segment,) = read_run(copied).segments
    assert segment.environment == {**MACHINE, "heavy_processes": "redacted"}
    names = ("alice-and-her-bank", "game-of-alice", "plugins-of-alice", "gateway.alice.example")
    content = "".join(file.read_text() for file in copied.rglob("*") if file.is_file())
    assert [name for name in names if name in content] == []


def test_what_a_system_said_of_itself_stays_without_prompts(copied: Path) -> None:
    (segment,) = read_run(copied).segments
    facts = segment.labels[1].facts
    assert (facts["server"], facts["not_applied"]) == (FACTS["server"], "instructions: redacted")
    session = json.loads(str(facts["session"]))
    assert (session["voice"], session["turn_detection"]["silence_duration_ms"]) == ("cedar", 500)


def test_clips_may_lose_their_names(original: Path, tmp_path: Path) -> None:
    found = redact(read_run(original), tmp_path / "copy", clip_names=True)
    run = read_run(found.path)
    assert [clip.id for clip in run.manifest.utterances] == [f"clip-{number}" for number in range(1, 9)]
    assert {turn.utterance for turn in run.turns} <= {clip.id for clip in run.manifest.utterances}
    assert recompute(run).equal
    before, after = (as_json(summarise(each).labels) for each in (read_run(original), run))
    assert before[1]["figures"] == after[1]["figures"], "intervals, too"
    assert any("names of the clips" in text for text in found.removed)


def test_it_never_writes_into_the_run_or_over_a_folder(original: Path, copied: Path) -> None:
    before = sorted(original.rglob("*"))
    for out in (original, original / "copy", original / ".." / original.name / "copy"):
        with pytest.raises(UsageError, match="inside the run"):
            redact(read_run(original), out)
    with pytest.raises(RunError, match="exists already"):
        redact(read_run(original), copied)
    assert sorted(original.rglob("*")) == before


def test_a_copy_that_fails_is_removed(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstpacket.bench.redact.copy._turn", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        redact(read_run(original), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_damaged_trace_is_left_out_and_its_turn_kept(original: Path, tmp_path: Path) -> None:
    run = read_run(original)
    broken = replace(run, turns=(replace(run.turns[0], evidence_crc32=1), *run.turns[1:]))
    found = redact(broken, tmp_path / "copy")
    assert found.notices == ("1 trace could not be read: the copy does not have them",)
    assert len(read_run(found.path).turns) == len(run.turns)
    assert len(recompute(read_run(found.path)).problems) == 1


def test_a_copy_cannot_be_resumed(copied: Path) -> None:
    with pytest.raises(RunError, match="redacted copy"):
        require_resumable(copied)


def test_the_command_says_what_is_gone_and_what_is_left(original: Path, tmp_path: Path) -> None:
    done = here("redact", original, "-o", tmp_path / "copy")
    assert done.returncode == 0
    titles = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert titles == ["removed"] * 5 + ["remains"] * 6 + ["written"]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"type": "x.y", "said": "hello you", "n": 3}, {"type": "x.y", "said": "redacted redacted", "n": 3}),
        ({"response": {"id": "r", "all": [{"text": "1"}]}}, {"response": {"id": "r", "all": [{"text": "redacted"}]}}),
        ({"item_id": "i", "empty": "", "null": None}, {"item_id": "i", "empty": "", "null": None}),
        ({"metadata": '{"stt_s": 0.1, "said": "hello"}'}, {"metadata": '{"stt_s": 0.1, "said": "redacted"}'}),
        ({"delta": "{not json"}, {"delta": "redacted redacted"}),
    ],
)  # fmt: skip
def test_words_in_messages(body: Any, left: Any) -> None:
    assert json.loads(redacted_message(Message(False, "t", 0, 0, body=json.dumps(body))).body) == left


@pytest.mark.parametrize("body", ["plain words", "{" * 10, "[" * 100_000])
def test_a_body_that_is_no_json(body: str) -> None:
    assert redacted_message(Message(False, "t", 0, 0, body=body)).body == "redacted"


def test_the_pipelines_own_word_for_audio_that_was_sent_stays() -> None:
    audio = Message(True, "append", 0, 0, audio_bytes=640, body="silence")
    assert redacted_message(audio) == audio
    for other in (replace(audio, body="two words"), replace(audio, audio_bytes=0), replace(audio, sent=False)):
        assert redacted_message(other).body == "redacted"


def test_words_are_counted_as_before() -> None:
    assert without_words("  one two,\nthree ") == "  redacted redacted\nredacted "
    assert without_words(" ") == " "


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("http://a.example:80/x and wss://b.example?q=1", ["a.example", "b.example"]),
        ("http://localhost:1/ ws://127.0.0.1 http://[::1]:2", []),
        ("https://user:secret@c.example/", ["c.example"]),
        ("tcp://[2001:db8::1]:10300", ["[2001:db8::1]"]),
        ("no address: a.b", []),
    ],
)
def test_hosts_in_texts(text: str, hosts: list[str]) -> None:
    assert list(hosts_in([text])) == hosts


def test_names_are_replaced_as_wholes() -> None:
    names = Names({"a.example": "server-1"}, {"c1": "clip-1"})
    assert (
        names.scrubbed("a.example.org a.example x-a.example c1 c12") == "a.example.org server-1 x-a.example clip-1 c12"
    )
    assert names.scrubbed(r"C:\Users\bob\x /home/bob/x /root/x") == r"~\x ~/x /root/x"


def test_numbers_of_clips_sort_as_their_names() -> None:
    found = numbered_clips(f"n{number}" for number in range(12))
    assert sorted(found, key=lambda name: found[name]) == sorted(found)
