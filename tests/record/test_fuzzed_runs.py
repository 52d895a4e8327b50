"""A run folder that was truncated, shuffled or crafted: every command answers, none with a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command import here, write_clips

from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import LabelFacts, System
from firstpacket.bench.record.store import read_run
from firstpacket.bench.run import segment
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock

FILES = ("manifest.json", "segments.jsonl", "turns.jsonl", "traces.jsonl")
SCRIPTS = (
    "a=scripted,script=hear; asr 3; send; llm.decode 4; send | take; tts 2; packet 20; take; tts 30; packet 60",
    "b=scripted,script=hear; encoder 3; llm.prefill 2 token; vocoder 3; silence 20; vocoder 2; packet 80",
)
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63 - 1, 2**64, 10**400, -(10**30), 0.5, -0.0, 1e308, float("inf"), float("nan"),
    "", "\0", "a" * 5000, "../../etc/passwd", "/dev/zero", "\ud800", "\x1b[2J", "{{ 7*7 }}<script>", "[bold]", "\u202e",
    [], {}, [[[[[]]]]], {"": {}}, {"a": None}, ["x"] * 50,
)  # fmt: skip
FORMS = ("csv", "json", "markdown", "junit", "openmetrics", "pytest-benchmark", "bencher")
READING = (
    *(("show",), ("show", "--json"), ("compare",), ("report",), ("recompute",), ("history",)),
    *(("export", "--format", form) for form in FORMS),
)

Damage = Callable[[Path], None]


class OnVirtualTime(InProcessExecutor):
    """Answers in this process, so that a resumed run needs no other."""

    def __init__(self, system: System, *_: object, **__: object) -> None:
        super().__init__(system, VirtualClock())

    def start(self) -> LabelFacts:
        facts = super().start()
        return LabelFacts(facts.label, 1, 1, (Weights("part", "none", "nowhere"),), {}, 1000)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unfinished run of two labels with one turn still to be measured."""
    folder = tmp_path_factory.mktemp("fuzzed")
    pipelines = [word for script in SCRIPTS for word in ("-p", script)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment, "ProcessExecutor", OnVirtualTime)
        corpus = ("--corpus", write_clips(folder / "clips"), "--turns", "5", "--warmup", "1", "--no-keep-audio")
        done = here("run", "--no-report", *pipelines, *corpus, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    turns = folder / "run" / "turns.jsonl"
    turns.write_bytes(b"".join(turns.read_bytes().splitlines(keepends=True)[:-1]))
    return folder / "run"


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    name = draw(st.sampled_from(FILES))
    kinds = (truncated, swapped, repeated, overwritten, replaced, replaced, replaced, grown, gone)
    return draw(st.sampled_from(kinds))(draw, name)


def truncated(draw: st.DrawFn, name: str) -> Damage:
    share = draw(st.floats(0, 1))
    return lambda run: _rewrite(run / name, lambda content: content[: int(share * len(content))])


def swapped(draw: st.DrawFn, name: str) -> Damage:
    a, b = draw(st.integers(0, 50)), draw(st.integers(0, 50))

    def swap(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        if lines:
            i, j = a % len(lines), b % len(lines)
            lines[i], lines[j] = lines[j], lines[i]
        return b"".join(lines)

    return lambda run: _rewrite(run / name, swap)


def repeated(draw: st.DrawFn, name: str) -> Damage:
    number = draw(st.integers(0, 50))

    def repeat(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return content + (lines[number % len(lines)] if lines else b"")

    return lambda run: _rewrite(run / name, repeat)


def overwritten(draw: st.DrawFn, name: str) -> Damage:
    share, binary = draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=30))

    def overwrite(content: bytes) -> bytes:
        at = int(share * len(content))
        return content[:at] + binary + content[at + len(binary) :]

    return lambda run: _rewrite(run / name, overwrite)


def replaced(draw: st.DrawFn, name: str) -> Damage:
    """One value somewhere in one line's JSON becomes another."""
    line, steps = draw(st.integers(0, 50)), draw(st.lists(st.integers(0, 200), min_size=1, max_size=7))
    value = draw(st.sampled_from(HOSTILE))

    def replace(content: bytes) -> bytes:
        lines = [content] if name == "manifest.json" else content.splitlines(keepends=True)
        if not lines:
            return content
        chosen = line % len(lines)
        raw = json.loads(lines[chosen])
        _plant(raw, steps, value)
        lines[chosen] = json.dumps(raw).encode() + b"\n"
        return b"".join(lines)

    return lambda run: _rewrite(run / name, replace)


def grown(draw: st.DrawFn, name: str) -> Damage:
    tails = (b"\n\n\n", b"[" * 100_000, b"\xff\xfe\0", b'{"turn":', b"1e999\n", b"null\n", b"9" * 5000 + b"\n")
    tail = draw(st.sampled_from(tails))
    return lambda run: _rewrite(run / name, lambda content: content + tail)


def gone(draw: st.DrawFn, name: str) -> Damage:
    as_folder = draw(st.booleans())

    def remove(run: Path) -> None:
        if (run / name).is_file():
            (run / name).unlink()
        if as_folder:
            (run / name).mkdir(exist_ok=True)

    return remove


def _plant(raw: Any, steps: list[int], value: Any) -> None:
    """Follow the steps into nested values as far as they go, and put the value there."""
    for left, step in reversed(list(enumerate(reversed(steps)))):
        if not isinstance(raw, (dict, list)) or not raw:
            return
        key = sorted(raw)[step % len(raw)] if isinstance(raw, dict) else step % len(raw)
        inner = raw[key]
        if not left or not isinstance(inner, (dict, list)) or not inner:
            raw[key] = value
            return
        raw = inner


def _rewrite(file: Path, change: Callable[[bytes], bytes]) -> None:
    if file.is_file():
        try:
            file.write_bytes(change(file.read_bytes()))
        except (ValueError, RecursionError):
            return  # an earlier damage has left no JSON to change


def answers(run: Path, out: Path, damage: list[Damage]) -> None:
    """Every command on the damaged folder; one that raises has shown its user a traceback."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(run, out)
    for harm in damage:
        harm(out)
    for command, *flags in READING:
        written = ["--out", out / "written"] if command in ("report", "export") else []
        said(here(command, out, *flags, *written))
    said(here("compare", out, run))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment, "ProcessExecutor", OnVirtualTime)
        said(here("run", "--no-report", "--resume", out))


def said(done: Any) -> None:
    assert done.returncode in (0, 1, 2, 3), done
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or done.stderr.strip(), "an error says what it is"
    assert not {"\x1b", "\x9b"} & set(done.stdout + done.stderr), "a file must not write to the user's terminal"


SLOW = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)


@settings(max_examples=15, derandomize=True, database=None, suppress_health_check=SLOW)
@given(damage=st.lists(damages(), min_size=1, max_size=3))
def test_a_damaged_run_is_never_answered_with_a_traceback(whole: Path, tmp_path: Path, damage: list[Damage]) -> None:
    """May take over 10 s: fifteen damages, each read by every command there is."""
    answers(whole, tmp_path / "run", damage)


@pytest.mark.soak
@settings(max_examples=1500, suppress_health_check=SLOW, print_blob=True)
@given(damage=st.lists(damages(), min_size=1, max_size=3))
def test_many_damaged_runs_are_never_answered_with_a_traceback(
    whole: Path, tmp_path: Path, damage: list[Damage]
) -> None:
    answers(whole, tmp_path / "run", damage)


def test_the_undamaged_run_is_read_and_resumed(whole: Path, tmp_path: Path) -> None:
    """Otherwise the tests above would say nothing about readable runs."""
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    for command, *flags in READING:
        written = ["--out", tmp_path / "written"] if command in ("report", "export") else []
        assert here(command, out, *flags, *written).returncode == 0
    before = len(read_run(out).turns)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment, "ProcessExecutor", OnVirtualTime)
        done = here("run", "--no-report", "--resume", out)
    assert done.returncode == 0, done.stderr
    asked = [turn.turn for turn in read_run(out).turns if turn.phase == "measured"]
    assert sorted(asked) == list(range(1, 11))
    assert len(read_run(out).turns) > before


@pytest.mark.parametrize(
    ("name", "steps", "value", "problem"),
    [
        ("manifest.json", ["turns"], 2**31, "turns is 2147483648"),
        ("turns.jsonl", ["figures", "reply_audio"], 1e308, "the number is too large"),
        ("turns.jsonl", ["figures", "rtf_e2e"], float("nan"), "expected a finite number"),
    ],
)
def test_impossible_numbers_are_named(
    whole: Path, tmp_path: Path, name: str, steps: list[str], value: object, problem: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    _replace_last(out / name, steps, value)
    done = here("run", "--no-report", "--resume", out)
    assert done.returncode == 3
    assert problem in done.stderr


@pytest.mark.parametrize(("name", "steps"), [("manifest.json", ["run"]), ("turns.jsonl", ["utterance"])])
def test_control_characters_are_removed(whole: Path, tmp_path: Path, name: str, steps: list[str]) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    _replace_last(out / name, steps, "clip \x1b[2J\ud800")
    for command in (("show", out), ("export", out, "--out", tmp_path / "turns.csv")):
        done = here(*command)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout


def _replace_last(file: Path, steps: list[str], value: object) -> None:
    """Put a value into a JSON file, or into the last line of one."""
    content = file.read_text()
    lines = [content] if file.suffix == ".json" else content.splitlines()
    inner = raw = json.loads(lines[-1])
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = value
    file.write_text("\n".join([*lines[:-1], json.dumps(raw)]) + "\n")
