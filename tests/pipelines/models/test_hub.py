"""Names on the Hugging Face hub, against a cache made here: nothing is ever fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstpacket.bench.errors import MissingDependency, WeightsError
from firstpacket.pipelines.models import hub

NAME = "ICTNLP/Llama-3.1-8B-Omni"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hub cache in which the repository's main branch is `COMMIT`, with one file, linked as the hub does it."""
    repository = tmp_path / "hub" / f"models--{NAME.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "refs", repository / "blobs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "blobs" / "a1").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/a1")
    return tmp_path


def located(weights: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`locate` in a separate process: the hub's library reads its environment once."""
    code = (
        "import sys; from firstpacket.bench.errors import BenchError; from firstpacket.pipelines.models import hub\n"
        "try: found = hub.locate(sys.argv[1]); print(found.path); print(found.source)\n"
        "except BenchError as error: sys.exit(f'{type(error).__name__}: {error}')\n"
        "assert 'torch' not in sys.modules"
    )
    given = {**os.environ, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    command = [sys.executable, "-c", code, weights]
    return subprocess.run(command, capture_output=True, text=True, env=given, cwd=ROOT, timeout=60, check=False)


@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"])
def test_what_is_in_the_cache_is_found_offline_and_named_by_its_commit(home: Path, revision: str) -> None:
    done = located(NAME + revision, home, HF_HUB_OFFLINE="1")
    path, source = done.stdout.splitlines()
    assert Path(path).name == COMMIT
    assert (Path(path) / "config.json").read_text() == "{}"
    assert source == f"{NAME}@{COMMIT}"


def test_without_a_network_the_cache_is_used_too(home: Path) -> None:
    done = located(NAME, home, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert done.stdout.splitlines()[1:] == [f"{NAME}@{COMMIT}"]


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        (f"{NAME}@v2", {"HF_HUB_OFFLINE": "1"}),
        ("owner/absent", {"HF_HUB_OFFLINE": "1"}),
        ("owner/absent", {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}),
    ],
    ids=["revision", "offline", "no network"],
)
def test_a_model_that_is_not_cached_says_how_to_download_it(home: Path, name: str, environment: dict[str, str]) -> None:
    done = located(name, home, **environment)
    repository, _, revision = name.partition("@")
    download = f"`hf download {repository}{f' --revision {revision}' if revision else ''} --local-dir FOLDER`"
    assert f"WeightsError: There is no folder '{name}'" in done.stderr
    assert download in done.stderr
    assert "weights=FOLDER" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub.locate("owner/name") == hub.Folder(Path("owner/name"), "owner/name")


@pytest.mark.parametrize("name", ["nowhere", "./here", "/a/b", "a/b/c", "owner/name@", "../x", "owner/na me"])
def test_an_impossible_hub_name_is_reported_as_a_missing_folder(name: str) -> None:
    with pytest.raises(WeightsError, match="not 'demo', 'dummy', a folder, or a name on the hub"):
        hub.locate(name)


def test_a_missing_hub_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependency, match="pip install huggingface_hub"):
        hub.locate("owner/name")
