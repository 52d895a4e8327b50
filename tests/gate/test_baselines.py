"""Saved baselines, and the conditions by which they are found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.command import here
from support.runs import LATE, make_run, write_run

from firstpacket.bench.errors import InvalidRun, NotComparable, RunError, UsageError
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.fingerprint import conditions, key, unlike
from firstpacket.bench.record.store import Run, read_run

MS = [100.0, 104, 98, 101, 97, 103, 99, 102]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(folder: Path, name: str, slower: float = 1.0, labels: tuple[str, ...] = ("a",), **said: object) -> Run:
    values = {label: [ms * slower**place for ms in MS] for place, label in enumerate(labels, 1)}
    return read_run(write_run(folder / name, make_run(values, run=name, **said)))


def test_a_saved_baseline_can_be_read_without_evidence(folder: Path) -> None:
    run = measured(folder, "monday")
    (run.path / "audio").mkdir()
    kept = baselines.save([run], "main")
    assert kept.path == Path(".bench/baselines/main")
    assert sorted(path.name for path in kept.stored[0].path.iterdir()) == [
        "baseline.json",
        "manifest.json",
        "segments.jsonl",
        "traces.jsonl",
        "turns.jsonl",
    ]
    (again,) = kept.runs()
    assert (again.manifest, again.segments, again.turns) == (run.manifest, run.segments, run.turns)
    with pytest.raises(RunError, match="trace"):
        again.evidence(again.turns[0])


def test_the_newest_under_the_same_conditions_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(baselines.FOLDER, str(folder / "elsewhere"))
    run = measured(folder, "monday")
    for name, said in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        file = baselines.save([run], name).stored[0].path / "baseline.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"saved": said}))
    assert [each.name for each in baselines.kept()] == ["a", "b", "c"]
    found, damaged = baselines.newest("a", conditions(run, "a"))
    assert found is not None and found.name == "a" and damaged == ()
    assert baselines.newest("other", conditions(run, "a")) == (None, ())
    assert (folder / "elsewhere/a").is_dir()


def names(kept: baselines.Baseline) -> list[str]:
    return sorted(run.manifest.run for run in kept.runs())


def test_runs_are_added_to_a_baseline_each_once(folder: Path) -> None:
    monday, tuesday = measured(folder, "monday"), measured(folder, "tuesday")
    baselines.save([monday], "main")
    assert names(baselines.save([tuesday, monday, tuesday], "main")) == ["monday", "tuesday"]
    wednesday = measured(folder, "wednesday")
    assert names(baselines.save([wednesday], "main", replace=True)) == ["wednesday"]
    assert [path.name for path in baselines.folder().iterdir()] == ["main"], "nothing unfinished is left behind"


def test_only_the_newest_runs_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_RUNS", 3)
    runs = [measured(folder, str(day), created=f"2026-01-0{day}T00:00:00+00:00") for day in range(1, 6)]
    assert names(baselines.save(runs, "main")) == ["3", "4", "5"]


@pytest.mark.parametrize("name", ["../main", "", ".hidden", "a/b"])
def test_a_name_cannot_be_a_path(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        baselines.save([measured(folder, "monday")], name)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"environment": {"cpu": "Another CPU"}}, r"cpu \(Some CPU and Another CPU\)"),
        ({"environment": {"git_revision": "fedcba"}}, r"git_revision \(0123456789ab and fedcba\)"),
        ({"environment": {"code_revision": "fedcba"}}, r"code_revision \(unknown and fedcba\)"),
        ({"segment": {"packages": {"torch": "3"}}}, r"torch \(not set and 3\)"),
        ({"labels": ("a", "b")}, r"systems \(a and a, b\)"),
        ({"turn": LATE}, "invalid"),
        ({"segment": {"metrics": {"first_packet_latency": 99}}}, "definitions changed"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(folder: Path, said: dict[str, object], what: str) -> None:
    """Otherwise changes would count as differences between runs of the same code, and hide later ones."""
    baselines.save([measured(folder, "monday")], "main")
    other = measured(folder, "other", **said)  # type: ignore[arg-type]
    with pytest.raises(NotComparable, match=f"{what}.*one version.*--replace"):
        baselines.save([other], "main")
    assert [names(kept) for kept in baselines.kept()] == [["monday"]]


def test_an_invalid_run_cannot_be_a_baseline(folder: Path) -> None:
    with pytest.raises(InvalidRun):
        baselines.save([measured(folder, "late", turn=LATE)], "main")


def test_runs_that_were_put_together_by_hand_are_named(folder: Path) -> None:
    """As by merging two branches that each committed a baseline."""
    baselines.save([measured(folder, "here")], "main")
    there = baselines.save([measured(folder, "there", environment={"cpu": "Another"})], "other")
    there.stored[0].path.rename(baselines.folder() / "main" / there.stored[0].path.name)
    main = baselines.named("main")
    assert main is not None and "cpu (" in main.problem and "differ" in main.problem


def test_links_are_removed_without_what_they_lead_to(folder: Path) -> None:
    run = measured(folder, "monday")
    kept = baselines.save([run], "main")
    elsewhere = folder / "elsewhere"
    kept.stored[0].path.rename(elsewhere)
    kept.stored[0].path.symlink_to(elsewhere)
    assert names(baselines.save([run], "main")) == ["monday"]
    shutil.move(kept.path, folder / "whole")
    kept.path.symlink_to(folder / "whole")
    baselines.save([run], "main", replace=True)
    assert not kept.path.is_symlink()
    assert read_run(elsewhere).turns and list((folder / "whole").iterdir())


def earlier_version(run: Run, name: str) -> Path:
    """A baseline as it was saved when it was one run."""
    kept = baselines.save([run], name)
    for file in kept.stored[0].path.iterdir():
        file.rename(kept.path / file.name)
    kept.stored[0].path.rmdir()
    file = kept.path / "baseline.json"
    content = json.loads(file.read_text())
    del content["version"]
    file.write_text(json.dumps(content | {"schema": 1}))
    return kept.path


def test_a_baseline_of_an_earlier_version_is_named_with_how_to_make_a_new_one(folder: Path) -> None:
    run = measured(folder, "monday")
    earlier_version(run, "old")
    command = "bench baseline save RUN --name old --replace"
    assert command in " ".join(here("baseline", "list").stdout.split())
    assert baselines.newest("a", conditions(run, "a"))[0] is None
    for refused in (here("baseline", "show", "old"), here("baseline", "save", run.path, "--name", "old")):
        assert refused.returncode == 13 and command in refused.stderr
    made = here(*command.replace("RUN", str(run.path)).split()[1:])
    assert made.returncode == 0, made.stderr
    kept = baselines.named("old")
    assert kept is not None and names(kept) == ["monday"]


def test_a_run_without_answers_cannot_be_a_baseline(folder: Path) -> None:
    silent = read_run(write_run(folder / "silent", make_run({"a": MS, "b": ["timeout"] * 8})))
    with pytest.raises(RunError, match="no answered turn of b"):
        baselines.save([silent], "main")


DAMAGES = [
    ("baseline.json", None, "baseline.json cannot be read (No such file"),
    ("baseline.json", b"{", "line 1"),
    ("baseline.json", b"[]", "expected an object"),
    ("baseline.json", b'{"schema": 2}', "is missing"),
    ("baseline.json", b'{"schema": 9, "saved": "", "labels": {}}', "it has schema 9, this version reads 2"),
    ("turns.jsonl", None, "turns.jsonl is missing"),
    ("turns.jsonl", 0.05, "turns.jsonl has been cut: it has 0 of 8 turns"),
    ("turns.jsonl", 4, "turns.jsonl has been cut: it has 4 of 8 turns"),
    ("manifest.json", None, "manifest.json cannot be read"),
    ("manifest.json", 0.5, "manifest.json: this is not valid JSON"),
    ("manifest.json", b'{"schema": 99}', "newer version"),
]
"""A file of a baseline; what is left of it: nothing, a share, whole lines, or other content; what is said."""


def damage(file: Path, left: bytes | float | None) -> None:
    content = file.read_bytes()
    file.unlink()
    if isinstance(left, int):
        file.write_bytes(b"".join(content.splitlines(keepends=True)[:left]))
    elif left is not None:
        file.write_bytes(left if isinstance(left, bytes) else content[: round(left * len(content))])


@pytest.mark.parametrize(("file", "left", "said"), DAMAGES)
def test_a_damaged_baseline_is_named_and_never_chosen(
    folder: Path, file: str, left: bytes | float | None, said: str
) -> None:
    run = measured(folder, "monday")
    baselines.save([run], "whole")
    damage(baselines.save([run], "zz-newer").stored[0].path / file, left)
    listed = here("baseline", "list")
    assert listed.returncode == 0 and "whole" in listed.stdout and "damaged" in listed.stdout
    whole, damaged = baselines.kept()
    assert (whole.name, whole.problem, damaged.name) == ("whole", "", "zz-newer")
    assert said in damaged.problem
    assert baselines.newest("a", conditions(run, "a")) == (whole, (damaged,))
    shown = here("baseline", "show", "zz-newer")
    assert shown.returncode == 3 and "The baseline 'zz-newer' is damaged: " in shown.stderr


def test_only_valid_baselines_are_listed(folder: Path) -> None:
    """Version control may have a file there."""
    run = measured(folder, "monday")
    baselines.save([run], "main")
    for place in (baselines.folder(), baselines.folder() / "main"):
        (place / "README.md").write_text("# Baselines\n")
    (main,) = baselines.kept()
    assert (main.name, main.problem, len(main.stored)) == ("main", "", 1)
    (baselines.folder() / "empty").mkdir()
    assert "no runs" in baselines.kept()[-1].problem


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"environment": {"cpu": "Another"}}, "cpu"),
        ({"environment": {"cores_usable": 64}}, "cores_usable"),
        ({"threads": 7}, "threads"),
        ({"corpus_sha256": "f" * 64}, "corpus"),
        ({"t0": "request"}, "t0"),
        ({"input": "realtime"}, "input"),
        ({"system": {"options": {"script": "hear; tts 1; packet 1"}}}, "option script"),
        ({"system": {"device": "cuda:0"}}, "device"),
    ],
)
def test_other_conditions_give_another_key(folder: Path, said: dict[str, object], what: str) -> None:
    before, after = (conditions(run, "a") for run in (measured(folder, "1"), measured(folder, "2", **said)))
    assert key(before) != key(after)
    assert what in " ".join(unlike(before, after))


def test_updates_and_default_options_give_the_same_key(
    folder: Path,
) -> None:
    from firstpacket.pipelines.scripted import DEFAULT

    plain = conditions(measured(folder, "1"), "a")
    assert key(plain) == key(conditions(measured(folder, "2", environment={"os": "newer"}), "a"))
    assert key(plain) == key(conditions(measured(folder, "3", system={"options": {"script": DEFAULT}}), "a"))


def test_the_gpu_is_part_of_the_key_only_where_one_is_used(folder: Path) -> None:
    cards = [{"gpu0": "L40", "gpu_driver": "1"}, {"gpu0": "L40", "gpu_driver": "2"}]
    for device, same in (("cpu", True), ("cuda:0", False)):
        on = {"device": device}
        runs = [measured(folder, f"{device} {n}", environment=card, system=on) for n, card in enumerate(cards)]
        keys = {key(conditions(run, "a")) for run in runs}
        assert (len(keys) == 1) is same


def test_the_command_saves_lists_and_shows_baselines(folder: Path) -> None:
    run = measured(folder, "monday")
    assert "no baselines" in here("baseline", "list").stderr
    kept = here("baseline", "save", run.path, "--name", "main")
    assert kept.returncode == 0, kept.stderr
    name = key(conditions(run, "a"))
    assert f"a ({name})" in here("baseline", "list").stdout
    shown = here("baseline", "show", "main").stdout
    assert "cpu: Some CPU" in shown and "1 run: 3 or more show how much runs differ" in shown
    more = [measured(folder, str(n), slower=1 + 0.02 * n).path for n in (1, 2)]
    saved = here("baseline", "save", *more, "--name", "main")
    assert saved.returncode == 0 and "(3 runs)" in saved.stderr, saved.stderr
    shown = here("baseline", "show", "main").stdout
    assert "3 runs, whose first packets differ by 2.0 % (standard deviation)" in shown
    wrong = here("baseline", "show", "mian")
    assert wrong.returncode == 2 and "Did you mean 'main'" in wrong.stderr
