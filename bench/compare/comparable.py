"""Which runs may be compared."""

from __future__ import annotations

from bench.record.store import Run


def differences(base: Run, other: Run) -> tuple[str, ...]:
    """Why two runs must not be compared: another corpus, another start of the clock, another way of input."""
    a, b = base.manifest, other.manifest
    found = []
    if a.corpus_sha256 != b.corpus_sha256:
        found.append(f"the corpora differ (sha256 {a.corpus_sha256[:12]} and {b.corpus_sha256[:12]})")
    if a.t0 != b.t0:
        found.append(f"their clocks start at different moments (t0: {a.t0} and {b.t0})")
    if a.input != b.input:
        found.append(f"the speech was put in differently (input: {a.input} and {b.input})")
    return tuple(found)
