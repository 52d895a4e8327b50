"""Which runs may be compared."""

from __future__ import annotations

from bench.errors import InvalidRun
from bench.record.store import Run
from bench.summary.microphone import invalid


def differences(base: Run, other: Run) -> tuple[str, ...]:
    """Why two runs must not be compared: another corpus, start of the clock, way of input, or notion of an answer."""
    a, b = base.manifest, other.manifest
    found = []
    if a.corpus_sha256 != b.corpus_sha256:
        found.append(f"the corpora differ (sha256 {a.corpus_sha256[:12]} and {b.corpus_sha256[:12]})")
    if (a.start, a.t0) != (b.start, b.t0):
        found.append(f"their clocks start at different moments (t0: {a.t0} and {b.t0})")
    if a.input != b.input:
        found.append(f"the speech was put in differently (input: {a.input} and {b.input})")
    if a.audible != b.audible:
        found.append(f"what counts as an answer differs (audible: {a.audible}; {b.audible})")
    runs = {base.manifest.run: base, other.manifest.run: other}
    found += [f"'{name}' is invalid: {reason}" for name, run in runs.items() for reason in invalid(run)]
    return tuple(found)


def require_valid(run: Run) -> None:
    """Raises `InvalidRun` with the reasons, and what to do, if nothing can be learned from comparing its labels."""
    if reasons := invalid(run):
        raise InvalidRun(
            f"'{run.manifest.run}' is invalid: {'; '.join(reasons)}. The run is kept. Stop other work on this machine "
            "and repeat it, or say with --microphone-limit-ms how late speech may come."
        )
