"""All tests: first in parallel, then alone those that are marked so. Plain `pytest` runs all of them one by one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

NO_TESTS_COLLECTED = 5
UNLESS_NAMED = "not soak and not cuda and not real_server"


def main(arguments: list[str]) -> int:
    """`python tests/run_suite.py [PYTEST ARGUMENTS]`: ends with what was skipped and why, and a line of counts.

    Fails if either part fails.
    """
    begin = time.monotonic()
    parts = (
        (f"not alone and {UNLESS_NAMED}", ["-n", str(usable_cores()), "--dist", "worksteal"]),
        (f"alone and {UNLESS_NAMED}", []),
    )
    # The workers fill the cores: more threads in each would only wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    codes, counts, reasons = set(), Counter[str](), Counter[str]()
    with TemporaryDirectory() as folder:
        for number, (chosen, how) in enumerate(parts):
            written = Path(folder) / f"{number}.xml"
            command = [sys.executable, "-m", "pytest", "-m", chosen, *how, *arguments, f"--junitxml={written}"]
            codes.add(subprocess.run(command, env=environment, check=False).returncode)
            counts += counted(written)
            reasons += reasons_for_skips(written)
    code = max(codes - {NO_TESTS_COLLECTED}, default=NO_TESTS_COLLECTED)
    for reason, number in reasons.most_common():
        sys.stdout.write(f"skipped {number}: {reason}\n")
    taken = ", ".join(f"{counts[name]} {name}" for name in ("passed", "skipped", "failed", "errors"))
    sys.stdout.write(f"make test: {taken} in {time.monotonic() - begin:.0f} s, {'green' if code == 0 else 'RED'}\n")
    return code


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def counted(junit: Path) -> Counter[str]:
    """Tests by what became of them; none where pytest wrote nothing."""
    if not junit.exists():
        return Counter()
    suites = ElementTree.parse(junit).getroot().iter("testsuite")
    said = Counter[str]()
    for suite in suites:
        tests, failed, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        said += Counter(passed=tests - failed - errors - skipped, failed=failed, errors=errors, skipped=skipped)
    return said


def reasons_for_skips(junit: Path) -> Counter[str]:
    """Skipped tests by reason."""
    if not junit.exists():
        return Counter()
    return Counter(skipped.get("message", "") for skipped in ElementTree.parse(junit).getroot().iter("skipped"))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
