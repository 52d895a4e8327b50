"""Environment variables of workers."""

from __future__ import annotations

import os
from pathlib import Path

import firstpacket


def worker_environment(threads: int) -> dict[str, str]:
    """Environment variables of workers: this process's own, with thread counts and waiting policy set.

    OpenMP threads that spin while waiting slow other processes up to tenfold on few cores, so passive waiting is the
    default; the user's own setting takes precedence. Workers do not search the current folder; in a checkout that is
    not installed it is where this code comes from, and then it is named.
    """
    variables = dict(os.environ)
    code = Path(firstpacket.__file__).resolve().parents[1]
    if code.samefile("."):
        variables["PYTHONPATH"] = os.pathsep.join([*filter(None, [variables.get("PYTHONPATH")]), str(code)])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        variables[name] = str(threads)
    variables.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    variables["PYTHONUNBUFFERED"] = "1"
    return variables
