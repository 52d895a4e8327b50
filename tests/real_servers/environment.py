"""The servers' environments: `environments/NAME.in` is what is wanted, `NAME.txt` the exact versions.

To renew one: `uv pip compile NAME.in --overrides overrides.txt --no-header --no-annotate -o NAME.txt`, with
`--python-version` as below, and then write torch's version without what follows its `+`, which depends on where it was
found.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = Path(__file__).parent / "environments"
OVERRIDES = LOCKS / "overrides.txt"
MADE = "made-from.sha256"
"""In an environment: written last, from what it was made."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One server's environment, in a folder that git ignores."""

    name: str
    pythons: str = sys.executable
    """Which Python it needs, as for `uv venv --python`."""

    @property
    def folder(self) -> Path:
        return ROOT / ".servers" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        return LOCKS / f"{self.name}.txt"

    def is_made(self) -> bool:
        """Whether it is there, whole, and of the versions that are locked now."""
        made = self.folder / MADE
        return made.is_file() and made.read_text() == self._sha256()

    def make(self, uv_options: list[str]) -> None:
        """Install it anew. Raises `subprocess.CalledProcessError`, with what uv says."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _uv("venv", "--python", self.pythons, "--no-python-downloads", str(self.folder))
        wanted = ["--requirements", str(self.lock), "--overrides", str(OVERRIDES)]
        _uv("pip", "install", "--python", str(self.python), *uv_options, *wanted)
        (self.folder / MADE).write_text(self._sha256())

    def _sha256(self) -> str:
        return hashlib.sha256(self.lock.read_bytes() + OVERRIDES.read_bytes()).hexdigest()


WYOMING = Environment("wyoming")
SPEECH_TO_SPEECH = Environment("speech-to-speech")
OPENAI_GATEWAY = Environment("openai-gateway", ">=3.12,<3.14")
ALL = (WYOMING, SPEECH_TO_SPEECH, OPENAI_GATEWAY)


def main(uv_options: list[str]) -> None:
    """`python environment.py [OPTIONS OF uv pip install]`: makes what is missing, and says what could not be made."""
    for environment in ALL:
        begin = time.monotonic()
        if environment.is_made():
            result = "is there"
        else:
            try:
                environment.make(uv_options)
                result = f"made in {time.monotonic() - begin:.0f} s"
            except subprocess.CalledProcessError as error:
                result = f"could not be made, so its tests are skipped: {error.stderr.strip()}"
        sys.stdout.write(f"environment {environment.name}: {result}\n")


def _uv(*arguments: str) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    # Other Pythons may be installed beside this one; uv finds only those on the path.
    siblings = [str(folder) for folder in Path(sys.base_prefix).parent.glob("*/bin")]
    environment = {**os.environ, "PATH": os.pathsep.join([os.environ["PATH"], *siblings])}
    subprocess.run([uv, *arguments, "--quiet"], check=True, stderr=subprocess.PIPE, text=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1:])
