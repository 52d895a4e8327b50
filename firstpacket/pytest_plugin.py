"""The pytest plugin: fixtures for the gate (`voice_benchmark`) and pytest-benchmark (`voice_rounds`); docs/pytest.md.

Every start of pytest imports this file, so it imports nothing else until a test uses one of the fixtures.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firstpacket.bench.testing.replay import ReplayClock
    from firstpacket.bench.testing.rounds import VoiceRounds
    from firstpacket.bench.testing.session import VoiceSession
    from firstpacket.bench.testing.voice import VoiceBenchmark

_session = pytest.StashKey["VoiceSession"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of voice tests; the arguments of a call override them."""
    group = parser.getgroup("voice benchmarks")
    group.addoption("--voice-against", metavar="GITREV|COMMAND", type=_filled, help="Version to compare with.")
    group.addoption(
        "--voice-against-path",
        metavar="FOLDER",
        action="append",
        type=_filled,
        help="Folder of its packages; repeatable.",
    )
    group.addoption(
        "--voice-baseline", metavar="RUN|NAME|auto", type=_filled, help="Earlier runs to compare with. [auto]"
    )
    group.addoption(
        "--voice-allow", metavar="VERDICTS", type=_filled, help="Verdicts that pass: inconclusive,no-baseline."
    )
    group.addoption("--voice-max-minutes", metavar="N", type=float, help="Time for measuring, per test.")
    group.addoption("--voice-out", metavar="FOLDER", type=_folder, help="Folder for runs. [reports/pytest-DATE]")


def _filled(value: str) -> str:
    """A value that is not empty: in CI, a variable that is not set must not count as an option that is not given."""
    if not value.strip():
        raise ArgumentTypeError("the value is empty (unset shell variable?). Pass a value, or omit the option.")
    return value


def _folder(value: str) -> Path:
    return Path(_filled(value))


def pytest_configure(config: pytest.Config) -> None:
    """Reject conflicting options; register `voice_rounds` depending on whether pytest-benchmark is installed."""
    if config.getoption("voice_against") and config.getoption("voice_baseline"):
        raise pytest.UsageError("--voice-against and --voice-baseline cannot be combined.")
    there = hasattr(config.hook, "pytest_benchmark_update_machine_info")
    config.pluginmanager.register(_WithBenchmark() if there else _WithoutBenchmark(), "voice-rounds")


@pytest.fixture
def voice_benchmark(request: pytest.FixtureRequest) -> VoiceBenchmark:
    """A gate as a call: `voice_benchmark("direct", max_regression="5%")` fails the test if it became slower."""
    from firstpacket.bench.testing.voice import VoiceBenchmark

    return VoiceBenchmark(voice_session(request.config), request.node)


def voice_session(config: pytest.Config) -> VoiceSession:
    """The state of this pytest session."""
    from firstpacket.bench.testing.session import VoiceSession

    if _session not in config.stash:
        allow, folders = config.getoption("voice_allow"), config.getoption("voice_against_path")
        config.stash[_session] = VoiceSession(
            root=config.invocation_params.dir,
            against=config.getoption("voice_against"),
            against_path=tuple(folders) if folders else None,
            baseline=config.getoption("voice_baseline"),
            allow=tuple(word.strip() for word in allow.split(",") if word.strip()) if allow is not None else None,
            max_minutes=config.getoption("voice_max_minutes"),
            out=config.getoption("voice_out"),
            aloud=config.getoption("capture") == "no",
            parallel=getattr(config, "workerinput", {}).get("workercount", 1),
        )
    return config.stash[_session]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the results, including passed ones, and their folders."""
    if _session in config.stash and (said := config.stash[_session].said):
        terminalreporter.section("voice benchmarks")
        for line in said:
            terminalreporter.line(line)


class _WithBenchmark:
    """If pytest-benchmark is installed."""

    @pytest.fixture
    def _replay_clock(self, request: pytest.FixtureRequest) -> ReplayClock:
        """A clock, set in the test's marker before the fixture `benchmark` reads it."""
        from firstpacket.bench.testing.replay import ReplayClock

        clock, own = ReplayClock(), request.node.get_closest_marker("benchmark")
        said = {**(own.kwargs if own else {}), "timer": clock}
        request.node.add_marker(pytest.mark.benchmark(**said), append=False)
        return clock

    @pytest.fixture
    def voice_rounds(self, request: pytest.FixtureRequest, _replay_clock: ReplayClock, benchmark: Any) -> VoiceRounds:
        """First packets as rounds of pytest-benchmark: `voice_rounds("direct", turns=30)`."""
        from firstpacket.bench.testing.rounds import VoiceRounds

        return VoiceRounds(voice_session(request.config), request.node, benchmark, _replay_clock)

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Add the GPU of this machine to pytest-benchmark's machine info."""
        from firstpacket.bench.environment import gpus

        for gpu in gpus()[:1]:
            machine_info["gpu"] = {"name": gpu.name, "memory_mib": gpu.memory_mib, "driver": gpu.driver}


class _WithoutBenchmark:
    """If pytest-benchmark is missing."""

    @pytest.fixture
    def voice_rounds(self) -> None:
        """Fails with a hint to install pytest-benchmark."""
        pytest.fail(
            "The fixture voice_rounds needs pytest-benchmark, which is not active: "
            "pip install 'pytest-benchmark>=5.3', or remove -p no:benchmark.",
            pytrace=False,
        )
