"""What the documents mention exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import here

from firstpacket.bench.config import gather
from firstpacket.bench.metrics.definitions import TURN_METRICS
from firstpacket.bench.paths import documentation
from firstpacket.bench.pipeline import Pipeline, Settings
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/demo/README.md"), ROOT / "reports/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md", "docs/precision.md", "docs/report.md"])
def test_every_flag_that_newcomers_are_shown_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for words in re.findall(r"^(?:\.venv/bin/)?bench ([^\n#]*)", text, re.MULTILINE):
        command = re.match(r"(corpus|train|weights|baseline) [a-z]+|\w+", words)
        assert command is not None
        help_text = here(*command[0].split(), "--help").stdout
        assert help_text, command[0]
        for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", words):
            assert flag in help_text, f"bench {words}: {flag}"


def test_the_readme_names_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in ("README.md", "CONTRIBUTING.md", "docs/index.md"):
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs/metrics.md").read_text("utf-8")
    for metric in TURN_METRICS:
        assert f"| `{metric.name}` | {metric.start} | {metric.end} |" in page


def example(page: str) -> dict[str, Any]:
    """What a page's first example defines."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)
    assert block is not None
    defined: dict[str, Any] = {}
    exec(compile(block[1], page, "exec"), defined)
    return defined


def test_the_example_engine_works() -> None:
    made = example("add-an-engine.md")["Beep"]
    assert issubclass(made, TTS)
    engine = made(Settings(options={option.name: option.default for option in made.declaration.options}))
    engine.load()
    chunks = list(engine.speak("two words", Trace(VirtualClock())))
    assert [len(samples) for samples, _ in chunks] == [480, 800]
    assert all(rate == 16_000 and np.abs(samples).max() > 0.9 for samples, rate in chunks)
    assert engine.weights()


def test_the_example_of_a_pipeline_meets_the_contract() -> None:
    made = example("add-a-pipeline.md")["Mine"]
    assert issubclass(made, Pipeline)
    assert made.declaration.stages
    made(Settings(options={option.name: option.default for option in made.declaration.options})).load()


def test_the_config_file_shown_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    block = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "run.toml").write_text(block[1])
    options = gather({}, tmp_path / "run.toml")
    assert [choice.label for choice in options.pipelines] == ["direct", "sequential"]


def test_messages_name_pages_that_exist() -> None:
    sources = [path for folder in ("bench", "pipelines") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r"documentation\(['\"]([\w-]+)", path.read_text("utf-8"))}
    assert named >= {"add-a-pipeline", "compare", "gate", "index"}
    for name in named:
        assert documentation(name).is_file(), name


def test_no_message_names_a_file_that_only_a_checkout_has() -> None:
    """Docstrings may: they are read in the checkout. What a command prints is read by users of a wheel."""
    for command in ("show", "compare", "history", "gate", "run", "export"):
        assert not re.search(r"docs/\w+\.md|CONTRIBUTING", here(command, "--help").stdout), command


def test_every_term_of_the_glossary_is_one_sentence() -> None:
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", (ROOT / "docs/glossary.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 60
    for term, meaning in rows:
        assert meaning.endswith(".") and not re.search(r"[.!?] [A-Z]", meaning), term


@pytest.mark.parametrize("package", ["bench", "pipelines"])
def test_the_design_names_everything_in_a_package(package: str) -> None:
    page = (ROOT / "docs/design.md").read_text("utf-8")
    names = {path.stem for path in (ROOT / package).iterdir() if not path.name.startswith(("_", "."))}
    assert len(names) > 5
    assert {name for name in names if not re.search(rf"\b{name}\b", page)} == set()


def test_every_command_is_on_the_page_of_commands() -> None:
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    listed = here("--help").stdout.partition("Commands:")[2]
    names = re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"bench {name}" not in page] == []
