"""The report on a run in progress: the lock of the run shows when it is over."""

from pathlib import Path

import pytest
from support.runs import make_run

from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.record.store import RunWriter, in_use
from firstpacket.bench.report import watch as watching
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.watch import watch


@pytest.fixture
def writer(tmp_path: Path):
    run = make_run({"a": [100.0] * 8, "b": [200.0] * 8})
    with RunWriter.create(tmp_path / "run", run.manifest) as writer:
        writer.segment(run.segments[0])
        yield writer, run


def test_it_is_written_until_the_run_is_over(writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, run = writer
    out, pages, said = tmp_path / "report.html", [], []
    monkeypatch.setattr(watching, "render_report", lambda runs, **how: f"{len(runs[0].turns)} {how['refresh_s']}")
    monkeypatch.setattr(watching, "write_report", lambda runs, out: out.write_text(f"{len(runs[0].turns)}") and out)

    def wait(_: float) -> None:
        pages.append(out.read_text())
        if len(pages) == 3:
            at_work.close()
        else:
            at_work.turn(run.turns[len(pages)])

    assert watch(tmp_path / "run", out, said.append, wait=wait) == out
    assert pages == ["0 5", "1 5", "2 5"]
    assert out.read_text() == "2"
    assert said[0] == "0 of 16 measured turns"
    assert said[-1] == "2 of 16 measured turns"


def test_the_lock_shows_whether_the_run_is_in_progress(writer, tmp_path: Path) -> None:
    at_work, _ = writer
    assert in_use(tmp_path / "run")
    at_work.close()
    assert not in_use(tmp_path / "run")
    assert not in_use(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is not a run folder"):
        watch(tmp_path / "nowhere", tmp_path / "x.html", print)


def test_only_a_watched_page_reloads_itself() -> None:
    run = make_run({"a": [100.0] * 8})
    assert 'http-equiv="refresh" content="7"' in render_report([run], refresh_s=7, status="3 of 8")
    assert 'http-equiv="refresh"' not in render_report([run])
    with pytest.raises(UsageError):
        render_report([])
