"""Servers that nobody here wrote: `make real-servers`. Each starts once; a test that fails shows the end of its log.

`environments/` has what they are made of, `environment.py` makes them, `process.py` starts and ends a server, and one
file for each has its command. Tests that need one are marked `real_server`, and `make test` leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_servers import openai_gateway as gateway
from real_servers import speech_to_speech as hugging_face
from real_servers import wyoming
from real_servers.environment import OPENAI_GATEWAY, SPEECH_TO_SPEECH, WYOMING, Environment
from real_servers.process import Server
from support import transformers_serve


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    report = yield
    for value in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(value, Server):
            report.sections.append((f"log of {value.name}", value.end_of_log()))
    return report


@pytest.fixture(scope="session")
def faster_whisper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    _needs(WYOMING)
    with wyoming.faster_whisper(tmp_path_factory.mktemp("faster-whisper")) as server:
        yield server


@pytest.fixture(scope="session")
def piper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    _needs(WYOMING)
    with wyoming.piper(tmp_path_factory.mktemp("piper")) as server:
        yield server


@pytest.fixture(scope="session")
def openai_gateway(faster_whisper: Server, piper: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    _needs(OPENAI_GATEWAY)
    with gateway.openai_gateway(faster_whisper, piper, tmp_path_factory.mktemp("openai-gateway")) as server:
        yield server


@pytest.fixture(scope="session")
def speech_to_speech(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    _needs(SPEECH_TO_SPEECH)
    with hugging_face.speech_to_speech(tmp_path_factory.mktemp("speech-to-speech")) as server:
        yield server


@pytest.fixture(scope="session")
def transformers_server() -> Iterator[str]:
    """The address of `transformers serve`, which is in this environment."""
    with transformers_serve.serving() as url:
        yield url


def _needs(environment: Environment) -> None:
    if not environment.is_made():
        pytest.skip(f"the environment {environment.name} is not there: `make real-servers` makes it")
