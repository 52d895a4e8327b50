"""Notices: given only when they matter, with figures, a cause and a remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import make_turn
from support.virtual import virtual_run

from firstpacket.bench import environment, notices
from firstpacket.bench.doctor import diagnose
from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.metrics.figures import FLAGS
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import read_run

FINE = {
    "cores_usable": 4,
    "governor": "performance",
    "on_battery": False,
    "cpu_quota_cores": None,
    "heavy_cores": 0.2,
    "heavy_processes": "top 20 %",
    "memory_pressure_percent": 0.5,
}


def said(threads: int | None = 4, **facts: object) -> list[str]:
    return [f"{notice.subject}: {notice.text}" for notice in notices.of_machine(FINE | facts, threads)]  # type: ignore[operator]


def test_a_well_configured_machine_gives_no_notice() -> None:
    assert said() == [] == list(notices.of_machine({}))


@pytest.mark.parametrize(
    ("facts", "about", "advice"),
    [
        ({"governor": "powersave"}, "governor: the CPU governor is powersave", "cpupower frequency-set -g performance"),
        ({"on_battery": True}, "battery: ", "Plug it in"),
        ({"cpu_quota_cores": 3.5}, "quota: a CPU quota limits this container to 3.5 of 4 cores", "--cpuset-cpus"),
        ({"heavy_cores": 1.9, "heavy_processes": "cargo 190 %"}, "neighbours: ", "cargo 190 % of one core. Stop them"),
        ({"memory_pressure_percent": 3.25}, "memory: processes were waiting for memory 3.25 %", "smaller models"),
    ],
)
def test_each_notice_states_a_cause_and_a_remedy(facts: dict[str, object], about: str, advice: str) -> None:
    (text,) = said(3, **facts)
    assert text.startswith(about) and advice in text


def test_stages_that_a_system_does_not_declare_are_named(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 2; packet 50"}, count=1))
    assert list(notices.of_stages(run)) == []
    (system,) = run.manifest.labels
    without = replace(system, stages=tuple(stage for stage in system.stages if stage.id != "tts"))
    (notice,) = notices.of_stages(replace(run, manifest=replace(run.manifest, labels=(without,))))
    assert "a traces stages that it does not declare (tts)" in notice.text


def test_systems_state_what_they_were_loaded_with(tmp_path: Path) -> None:
    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 2; packet 50"}, count=1))
    (segment,) = run.segments
    unseen = LocalServer("http://127.0.0.1:8000/v1")
    (facts,) = segment.labels
    loaded = replace(facts, notices=("its server refused seed.",), servers=(unseen, LocalServer("http://x", (5,))))
    restarted = replace(segment, segment=1, labels=(loaded,))
    found = notices.of_systems(replace(run, segments=(replace(segment, labels=(loaded,)), restarted)))
    refused, hidden = [notice.text for notice in found]
    assert refused == "a: its server refused seed."
    assert "http://127.0.0.1:8000/v1 cannot be seen" in hidden


def test_more_threads_than_cores_give_a_notice() -> None:
    (text,) = said(threads=8)
    assert "8 threads per worker on 4 usable cores" in text and "--threads 4" in text
    assert "--threads 1" in said(threads=2, cpu_quota_cores=1.5)[-1]
    assert "--threads 2" in said(threads=4, cores_pinned=2)[-1] and not said(threads=2, cores_pinned=2)


def turn(number: int, label: str, *flags: str) -> Turn:
    return make_turn(turn=number, label=label, flags=flags)


def test_flags_give_a_notice_from_one_turn_in_twenty() -> None:
    quiet = [turn(number, "a") for number in range(2, 41)]
    assert list(notices.of_turns([turn(1, "a", "host_busy"), *quiet])) == []
    (notice,) = notices.of_turns([turn(1, "a", "host_busy"), *quiet[:19], turn(99, "b")])
    assert "1 of 20 measured turns of a (flag host_busy)" in notice.text and " of b" not in notice.text


def test_every_derived_flag_has_a_notice() -> None:
    # The others make a run invalid, or stand with the label.
    assert set(FLAGS) - set(notices.ADVICE) == {"late_microphone", "false_endpoint"}


def test_notices_of_segments_and_turns_are_notices_of_the_run(tmp_path: Path) -> None:
    from dataclasses import replace

    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.summary.summarise import summarise

    run = read_run(virtual_run(tmp_path / "run", {"a": "hear; tts 5; packet 100"}))
    twice = tuple(replace(each, environment=FINE | {"on_battery": True}) for each in run.segments) * 2
    flagged = tuple(replace(each, flags=("paged",)) for each in run.turns)
    told = summarise(replace(run, segments=twice, turns=flagged)).notices
    assert [notice.split(".")[0] for notice in told] == [
        "the machine runs on battery, which lowers its clocks",
        "memory had to be read from disk or swap in 3 of 3 measured turns of a (flag paged)",
    ]


def test_doctor_gives_the_same_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = environment.facts({})
    monkeypatch.setattr(environment, "facts", lambda _: real | {"governor": "powersave", "load_1min": 1e3})
    findings = {finding.subject: finding for finding in diagnose()}
    assert findings["governor"].verdict == "note" and "cpupower" in findings["governor"].text
    assert "load is 1000" in findings["load"].text
