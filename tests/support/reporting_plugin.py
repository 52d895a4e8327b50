"""A plugin whose pipeline writes down how its process was started; a test copies this file into a repository."""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import json
import locale
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Speech, Stage
from firstpacket.bench.timing.trace import Trace

FOLDER = "REPORTS"
"""Name of the environment variable with the folder for the reports."""
LATE = "late"
"""A module of the package, without content."""
STARTING_S = 0.02
"""A process of Python imports nothing of ours before; the start of a process is known to 0.01 s."""


class Nap(Pipeline):
    """Answers at once."""

    declaration = Declaration(
        name="nap", kind="direct", summary="Reports on its process.", stages=(Stage("encoder", "listen"),)
    )

    def load(self) -> None:
        """Import a module that nothing has imported yet, and write the report, named as the log of the process is."""
        importlib.import_module(f"{__name__}.{LATE}")
        log = Path(os.environ["FIRSTPACKET_WORKER"])
        (Path(os.environ[FOLDER]) / f"{log.stem}.json").write_text(json.dumps(report()), "utf-8")

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer."""
        heard = speech.whole()
        with trace.stage("encoder"):
            pass
        yield Packet(heard, speech.sample_rate, after=trace.hand_off("encoder"))


def report() -> dict[str, Any]:
    """What may differ between two processes and could make one of them slower."""
    process = psutil.Process()
    status = _status("SigBlk", "SigIgn", "SigCgt", "Umask", "CapEff", "Seccomp", "NoNewPrivs", "THP_enabled")
    return {
        "variables": dict(os.environ),
        "order of variables": [line.split("=")[0] for line in _text("environ").split("\0") if line],
        "place in a page": _strings() % resource.getpagesize(),
        "arguments": [*sys.orig_argv, *sys.argv],
        "python": [sys.executable, sys.version, sys.prefix, sys.base_prefix, process.exe()],
        "flags": [str(sys.flags), sys._xoptions, sys.warnoptions, sys.dont_write_bytecode, sys.pycache_prefix],
        "search path": sys.path,
        "finders": [getattr(finder, "__qualname__", type(finder).__qualname__) for finder in sys.meta_path],
        "modules": {name: getattr(module, "__file__", None) for name, module in sorted(sys.modules.items())},
        "compiled": [name for name in sorted(sys.modules) if name.startswith(__name__) and _compiled_here(name)],
        "folder": str(Path.cwd()),
        "descriptors": {fd.name: _opened(fd) for fd in Path("/proc/self/fd").iterdir() if _opened(fd)},
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT_" in name},
        "scheduling": [process.nice(), process.cpu_affinity(), os.sched_getscheduler(0), process.ionice()],
        "kernel": [status, *map(_text, ("oom_score_adj", "timerslack_ns", "personality", "cgroup"))],
        "session": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        "interpreter": [sys.getswitchinterval(), sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold()],
        "text": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding(), locale.getpreferredencoding()],
        "threads": process.num_threads(),
        "hash": hash("voice"),
    }


def _compiled_here(name: str) -> bool:
    """Whether this process has compiled a module of the plugin, rather than loaded its bytecode.

    Other modules are the same files for all processes: whichever imports one first may compile it for all.
    """
    spec = getattr(sys.modules[name], "__spec__", None)
    if not isinstance(getattr(spec, "loader", None), importlib.machinery.SourceFileLoader) or spec.cached is None:
        return False
    bytecode = Path(spec.cached)
    return not bytecode.exists() or bytecode.stat().st_mtime > _began_s() + STARTING_S


def _began_s() -> float:
    """When this process was started, s since 1970."""
    after_boot_s = int(_text("stat").rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - after_boot_s)


def _strings() -> int:
    """Bytes of arguments and variables at the top of the stack: from arg_start to env_end of proc(5), stat."""
    fields = _text("stat").rsplit(")", 1)[1].split()
    return int(fields[48]) - int(fields[45])


def _status(*names: str) -> Mapping[str, str]:
    lines = (line.partition(":") for line in _text("status").splitlines())
    return {name: value.strip() for name, _, value in lines if name in names}


def _opened(descriptor: Path) -> str:
    """What kind of file a descriptor is, or its folder; empty for the one that reads this list."""
    try:
        opened = descriptor.readlink()
        return str(opened.parent) if opened.is_absolute() else opened.name.partition(":")[0]
    except OSError:
        return ""


def _text(file: str) -> str:
    return Path("/proc/self", file).read_text("utf-8", "surrogateescape")
