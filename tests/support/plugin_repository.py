"""A git repository that holds a pipeline plugin, as somebody else would have it: installed in place, on two commits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """[project]
name = "nap-assistant"
version = "1.0"
[project.entry-points."firstpacket.pipelines"]
nap = "nap_assistant:Nap"
"""
CODE = '''"""Sleeps, then answers."""

from firstpacket.bench.pipeline import Declaration, Option, Packet, Pipeline, Stage


class Nap(Pipeline):
    declaration = Declaration(
        name="nap",
        kind="direct",
        summary="Sleeps, then answers.",
        stages=(Stage("encoder", "listen"),),
        options=(Option("ms", {ms}, "how long it sleeps"), Option("factor", 1.0, "how much longer")),
    )

    def load(self):
        """Nothing."""

    def respond(self, speech, trace):
        heard = speech.whole()
        with trace.stage("encoder"):
            clock = trace.clock
            asleep_ms = self.settings.number("ms") * self.settings.number("factor")
            clock.sleep_until_ns(clock.now_ns() + round(asleep_ms * 1e6))
        yield Packet(heard, speech.sample_rate, after=trace.hand_off("encoder"))
'''


@dataclass(frozen=True, slots=True)
class PluginRepository:
    """The repository, and where its distribution is registered as an editable install would register it."""

    path: Path
    installed: Path
    layout: str = "."

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        command = ["git", "-C", str(self.path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, ms: float) -> None:
        """The plugin with this default of how long it sleeps."""
        package = self.path / self.layout / "nap_assistant"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(CODE.replace("{ms}", str(ms)))
        (self.path / "pyproject.toml").write_text(PROJECT)

    def commit(self, ms: float, tag: str) -> None:
        """One commit more, with a tag."""
        self.write(ms)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)

    def environment(self, **more: str) -> dict[str, str]:
        """What a shell has in which the plugin is installed in place."""
        path = [self.path / self.layout, self.installed, ROOT]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "200", **more}

    def bench(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """`bench ARGUMENTS` in the repository."""
        return subprocess.run(
            [sys.executable, "-m", "firstpacket", *map(str, arguments)],
            cwd=self.path,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


def plugin_repository(folder: Path, layout: str = ".") -> PluginRepository:
    """A repository without commits yet."""
    path, installed = folder / "repository", folder / "installed"
    said = installed / "nap_assistant-1.0.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: nap-assistant\nVersion: 1.0\n")
    (said / "entry_points.txt").write_text("[firstpacket.pipelines]\nnap = nap_assistant:Nap\n")
    path.mkdir()
    made = PluginRepository(path, installed, layout)
    made.git("init", "-q", "-b", "main")
    return made
