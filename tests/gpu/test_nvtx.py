"""Stages are shown as NVTX ranges on request: entered and left on their own thread, and never by default."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from firstpacket.bench.errors import MissingDependency
from firstpacket.bench.gpu.nvtx import nvtx_ranges
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace

Said = list[tuple[str, str, int]]


def made_package(said: Said) -> ModuleType:
    """As much of the package nvtx as is used."""

    @contextmanager
    def annotate(message: str, domain: str) -> Any:
        said.append((f"{domain} push", message, threading.get_ident()))
        yield
        said.append((f"{domain} pop", message, threading.get_ident()))

    package = ModuleType("nvtx")
    package.annotate = lambda message, domain: _Again(lambda: annotate(message, domain))  # type: ignore[attr-defined]
    return package


class _Again:
    """The package's ranges can be entered more than once; those of contextlib cannot."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._open: list[Any] = []

    def __enter__(self) -> None:
        self._open.append(self._make())
        self._open[-1].__enter__()

    def __exit__(self, *error: object) -> None:
        self._open.pop().__exit__(None, None, None)


def made_torch(push: Callable[[str], object], pop: Callable[[], object]) -> dict[str, ModuleType]:
    torch, cuda, nvtx = ModuleType("torch"), ModuleType("torch.cuda"), ModuleType("torch.cuda.nvtx")
    torch.cuda, cuda.nvtx = cuda, nvtx  # type: ignore[attr-defined]
    nvtx.range_push, nvtx.range_pop = push, pop  # type: ignore[attr-defined]
    return {"torch": torch, "torch.cuda": cuda, "torch.cuda.nvtx": nvtx}


def test_every_stage_is_a_range_around_its_span_on_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    said: Said = []
    monkeypatch.setitem(sys.modules, "nvtx", made_package(said))
    trace = Trace(VirtualClock(), ranges=nvtx_ranges())

    def speak() -> None:
        with trace.stage("tts"):
            pass

    with trace.stage("llm.decode"):
        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()
        with trace.stage("llm.decode"):
            pass
    here, there = threading.get_ident(), thread.ident
    assert [(what.split()[1], stage, number == here) for what, stage, number in said] == [
        ("push", "llm.decode", True),
        ("push", "tts", False),
        ("pop", "tts", False),
        ("push", "llm.decode", True),
        ("pop", "llm.decode", True),
        ("pop", "llm.decode", True),
    ]
    assert {what.split()[0] for what, _, _ in said} == {"firstpacket"}
    assert there != here
    assert len(trace.finish().spans) == 3


def test_a_stage_that_fails_closes_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    said: Said = []
    monkeypatch.setitem(sys.modules, "nvtx", made_package(said))
    trace = Trace(VirtualClock(), ranges=nvtx_ranges())
    with pytest.raises(ZeroDivisionError), trace.stage("tts"):
        raise ZeroDivisionError
    assert [what for what, _, _ in said] == ["firstpacket push", "firstpacket pop"]


def test_without_the_package_a_cuda_build_of_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvtx", None)
    said: list[str] = []
    for name, module in made_torch(said.append, lambda: said.append("pop")).items():
        monkeypatch.setitem(sys.modules, name, module)
    trace = Trace(VirtualClock(), ranges=nvtx_ranges())
    del said[:]
    for _ in range(2):
        with trace.stage("{brackets} are no format"):
            said.append("inside")
    assert said == ["{brackets} are no format", "inside", "pop"] * 2


def test_without_either_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_cuda(message: str) -> None:
        raise RuntimeError("NVTX functions not installed. Are you sure you have a CUDA build?")

    monkeypatch.setitem(sys.modules, "nvtx", None)
    for name, module in made_torch(no_cuda, lambda: None).items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(MissingDependency, match=r"pip install .*nvtx.*leave --nvtx out"):
        nvtx_ranges()
    for name in ("torch", "torch.cuda", "torch.cuda.nvtx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match="--nvtx needs"):
        nvtx_ranges()


def test_the_real_package_takes_what_is_given_to_it() -> None:
    pytest.importorskip("nvtx")
    ranges = nvtx_ranges()
    with ranges("asr"), ranges("tts"), ranges("asr"):
        pass
    assert ranges("asr") is ranges("asr"), "made once per stage: a range must cost little"
