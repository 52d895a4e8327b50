"""An environment with our wheel, as a user has it: without the checkout, beside a project of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel; our dependencies come from the environment that runs the tests."""

    folder: Path

    def run(
        self, *command: str, cwd: Path, path: tuple[Path, ...] = (), timeout_s: float = 100
    ) -> subprocess.CompletedProcess[str]:
        """A program of this environment, run in `cwd` with `path` as PYTHONPATH."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        if path:
            kept["PYTHONPATH"] = os.pathsep.join(map(str, path))
        return subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=cwd,
            env={**kept, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def build(target: str, folder: Path, source: Path = ROOT) -> Path:
    """The wheel or sdist of a source tree, made in `folder`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def unpacked(sdist: Path, folder: Path) -> Path:
    """The tree that an sdist holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


def install(wheel: Path, folder: Path) -> Installed:
    """A new environment with that wheel."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # Folders named in a .pth file are searched, but .pth files in them are not read: no editable install comes along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _copy_scripts(folder)
    return Installed(folder)


def _copy_scripts(folder: Path) -> None:
    pytest = folder / "bin" / "pytest"
    pytest.write_text(f"#!{folder / 'bin' / 'python'}\nimport sys\nimport pytest\nsys.exit(pytest.main())\n")
    pytest.chmod(0o755)
