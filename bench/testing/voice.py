"""The fixture `voice_benchmark`: a gate as a call that can fail its test."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from firstpacket.bench.errors import BenchError, Stopped, UsageError
from firstpacket.bench.export.gate import write_gate
from firstpacket.bench.gate.result import EXIT_CODES, Check, GateResult
from firstpacket.bench.gate.run import RUN, run_gate
from firstpacket.bench.progress import PlainProgress
from firstpacket.bench.record.store import MANIFEST, Run, read_run
from firstpacket.bench.testing.arguments import asked_limits, asked_options, asked_reference, refuse_empty
from firstpacket.bench.testing.result import VoiceResult
from firstpacket.bench.testing.session import VoiceSession

COMMAND = ("pytest",)
"""The command in a run's manifest; the arguments of the call are not recorded."""
OTHER_ARGUMENTS = ("against", "against_path", "baseline", "limits", "config")


class VoiceBenchmarkWarning(pytest.PytestWarning):
    """A verdict that passed only because it was allowed, or turns that were not answered."""


class VoiceBenchmark:
    """Measures and judges when called."""

    def __init__(self, session: VoiceSession, node: pytest.Item) -> None:
        self._session = session
        self._node = node

    def __call__(
        self,
        *pipelines: str,
        max_regression: str | float | None = None,
        floor_ms: float | None = None,
        ceiling_ms: float | None = None,
        statistic: str | None = None,
        metric: str | None = None,
        against: str | None = None,
        against_path: Sequence[str] | None = None,
        baseline: str | None = None,
        allow: Collection[str] | None = None,
        max_minutes: float | None = None,
        resolution: str | float | None = None,
        limits: str | Path | None = None,
        config: str | Path | None = None,
        **options: Any,
    ) -> VoiceResult:
        """Measure the pipelines and check them against the limits, as `bench gate` does; docs/pytest.md.

        `pipelines` are written as for `--pipeline`, `options` are those of a run (`corpus`, `input`, `device`, ...).
        Without limits in the arguments, those of `bench.toml` apply. The test fails, with one message, for every
        verdict except `same`, `improved` and allowed ones, and for errors.
        """
        given = {
            "max_regression": max_regression,
            "floor_ms": floor_ms,
            "ceiling_ms": ceiling_ms,
            "statistic": statistic,
            "metric": metric,
            "allow": allow,
            "max_minutes": max_minutes,
            "resolution": resolution,
        }
        others = dict(zip(OTHER_ARGUMENTS, (against, against_path, baseline, limits, config), strict=True))
        with plainly():
            refuse_parallel(self._session)
            refuse_empty({**given, **others})
            asked = asked_options(pipelines, config, options, (*given, *OTHER_ARGUMENTS))
            wanted = asked_limits(self._session, limits, {name: it for name, it in given.items() if it is not None})
            reference = asked_reference(self._session, against, against_path, baseline, wanted)
            folder = self._session.folder(self._node.nodeid)
            found, folder = run_gate(asked, wanted, reference, progress(self._session), folder, COMMAND)
            result = VoiceResult(found, folder, _run(folder))
            _write(result)
        self._say(result)
        return result

    def _say(self, result: VoiceResult) -> None:
        """Report the result to pytest, then fail if the gate does."""
        found, session = result.gate, self._session
        self._node.user_properties += [("voice.verdict", found.verdict), ("voice.folder", str(result.folder))]
        session.said.append(f"{self._node.nodeid}: {found.verdict}{_against(found)}: {result.folder}")
        session.said += [f"  {_line(check)}" for check in found.checks]
        if found.exit_code:
            pytest.fail(failure(found, result.folder), pytrace=False)
        for check in found.checks:
            if EXIT_CODES[check.verdict]:
                warnings.warn(VoiceBenchmarkWarning(f"allowed: {_line(check)}"), stacklevel=3)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn errors into test failures with one message, without a traceback; Ctrl-C ends pytest."""
    try:
        yield
    except Stopped as stopped:
        pytest.exit(str(stopped), returncode=int(pytest.ExitCode.INTERRUPTED))
    except BenchError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def failure(found: GateResult, folder: Path) -> str:
    """All failing checks, and the folder with the figures."""
    failing = [_line(check) for check in found.failing] or ["no limit could be checked"]
    return "\n".join((*failing, f"figures{_against(found)}: {folder}"))


def refuse_parallel(session: VoiceSession) -> None:
    """Raises `UsageError` where other tests run at the same time."""
    if session.parallel > 1:
        raise UsageError(
            f"Latency cannot be measured while {session.parallel} processes of pytest-xdist run tests in parallel, "
            "since they slow each other down. Run voice tests separately, with -n 0 (or -p no:xdist)."
        )


def progress(session: VoiceSession) -> PlainProgress:
    """A line per turn if pytest does not capture output (`-s`), otherwise nothing."""
    return PlainProgress(Console(stderr=True, quiet=not session.aloud))


def _line(check: Check) -> str:
    return f"{check.label}: {check.verdict}: {check.limit.name}: {check.reason}"


def _against(found: GateResult) -> str:
    """Empty if only ceilings were checked."""
    changes = any(check.limit.ceiling_ms is None for check in found.checks)
    return f", compared with {found.baseline}" if changes else ""


def _run(folder: Path) -> Run | None:
    """What was measured; a run that never began left no manifest."""
    return read_run(folder / RUN) if (folder / RUN / MANIFEST).exists() else None


def _write(result: VoiceResult) -> None:
    from firstpacket.bench.report.html import write_report

    write_gate(result.gate, result.folder)
    if result.run and result.run.turns:
        write_report([result.run], result.folder / "report.html")
