"""The versions that a run records: of every engine in use, including engines of other packages."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from firstpacket.bench import packages
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.run.resolve import package_versions, resolve_one

ENGINE = """
from firstpacket.bench.pipeline import Declaration, Requirement, Stage
from firstpacket.pipelines.cascade.engines import ASR

class Ears(ASR):
    declaration = Declaration(
        "ears", "Hears.", stages=(Stage("stt", "listen", "asr"),),
        requires=(Requirement("ears_runtime.native", "ears"),), install="pip install their-ears",
    )

    def load(self) -> None: ...

    def transcribe(self, speech, trace) -> str:
        return ""
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine from another distribution, whose module comes from a third."""
    install(tmp_path, "their-ears", "3.2.1", "ears_plugin", ENGINE, "[firstpacket.asr]\nears = ears_plugin:Ears\n")
    install(tmp_path, "Ears-Runtime", "0.9", "ears_runtime", "", "")
    (tmp_path / "ears_runtime" / "native.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("ears_")]:
        del sys.modules[name]


def install(folder: Path, name: str, version: str, module: str, code: str, entry_points: str) -> None:
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(entry_points)
    (about / "top_level.txt").write_text(module)
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(code)


def test_engines_of_other_packages_and_what_they_need(elsewhere: Path) -> None:
    pytest.importorskip("torch")
    options = {"asr": "ears", "llm": "transformers", "tts": "espeak"}
    found = resolve_one(PipelineChoice("theirs", "cascade", options), Options(device="cpu"))
    kept = package_versions([found.system], [found.declaration])
    assert kept["their-ears"] == "3.2.1" and kept["Ears-Runtime"] == "0.9"
    assert kept["torch"] == metadata.version("torch") and kept["espeakng-loader"] == metadata.version("espeakng-loader")
    assert kept["firstpacket"] and kept["numpy"] == metadata.version("numpy"), "the harness too"
    assert "faster-whisper" not in kept, "an engine that is installed, and not in use"


def test_what_is_not_installed_here_is_absent() -> None:
    assert packages.versions([], []) == {}


def test_the_harness_itself_depends_on_no_extra() -> None:
    assert not {"torch", "pocketsphinx"} & packages.of_harness().keys()
