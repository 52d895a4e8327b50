"""The examples of docs/ci.md and docs/pytest.md are accepted by the services and by this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command import ROOT, here

yaml = pytest.importorskip("yaml")
PAGE = (ROOT / "docs/ci.md").read_text("utf-8")
SCHEMAS = {
    ".github/workflows/latency.yml": "vendor.github-workflows",
    ".github/workflows/latency-gpu.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
KNOWN = {"actions/checkout@v4", "actions/setup-python@v5", "actions/upload-artifact@v4", "OWNER/firstpacket@REVISION"}


def files() -> dict[str, str]:
    """The files that the page shows, by their names."""
    return dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def action() -> Any:
    return yaml.safe_load((ROOT / "action.yml").read_text())


def steps() -> list[dict[str, Any]]:
    """Of all workflows, and of the action itself."""
    jobs = [job for text in files().values() for job in (yaml.safe_load(text).get("jobs") or {}).values()]
    return [step for job in jobs for step in job["steps"]] + action()["runs"]["steps"]


def test_every_file_shown_is_checked() -> None:
    assert files().keys() == SCHEMAS.keys()
    assert PAGE.count("```yaml") == len(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_services_accept_every_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema")
    (tmp_path / "file.yml").write_text(files()[name])
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name], str(tmp_path / "file.yml")]
    answer = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout


def test_workflows_use_what_is_known_and_give_only_inputs_that_there_are() -> None:
    inputs = action()["inputs"].keys()
    for step in steps():
        assert step.get("uses", "actions/checkout@v4") in KNOWN
        assert "${{" not in step.get("run", ""), "an expression in a script is run as code"
        if step.get("uses", "").startswith("OWNER/"):
            assert step["with"].keys() <= inputs


def test_workflows_need_no_right_but_to_read() -> None:
    for name, text in files().items():
        if name.startswith(".github"):
            assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
            assert "secrets." not in text
            assert "pull_request_target" not in text


def test_tables_name_every_input_and_output() -> None:
    named = set(re.findall(r"`([a-z-]+)`", "\n".join(line.split("|")[1] for line in PAGE.splitlines() if "|" in line)))
    assert named == action()["inputs"].keys() | action()["outputs"].keys()


@pytest.mark.parametrize("page", ["ci.md", "pytest.md"])
def test_every_flag_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    arguments = "\n".join(f"bench gate {words}" for words in re.findall(r"arguments: \|\n((?: +--\S+\n)+)", text))
    for command, words in re.findall(r"\bbench (gate|baseline save)\b([^\n#`)]*)", f"{text}\n{arguments}"):
        help_text = here(*command.split(), "--help").stdout
        for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", words):
            assert flag in help_text, f"bench {command} {flag}"


def test_the_plugins_options_and_arguments_are_documented() -> None:
    import inspect

    from firstpacket.bench.testing.voice import VoiceBenchmark

    text = (ROOT / "docs/pytest.md").read_text("utf-8")
    plugin = (ROOT / "firstpacket/pytest_plugin.py").read_text("utf-8")
    for option in re.findall(r'addoption\("(--voice-[a-z-]+)"', plugin):
        assert f"| `{option} " in text
    asked = inspect.signature(VoiceBenchmark.__call__).parameters.values()
    for name in (each.name for each in asked if each.kind is each.KEYWORD_ONLY):
        assert f"`{name}`" in text, name
