"""How far the same code differs from itself on this machine, from A/A runs; saved with the baselines.

    .bench/baselines/noise/KEY.json      findings for one set of conditions (`firstpacket.bench.gate.fingerprint`)

The widest of several findings counts: one quiet day must not turn noise into a regression.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.compare.pairs import Pairs, clip_by_clip, turn_by_turn
from firstpacket.bench.errors import RunError, explained
from firstpacket.bench.gate.baselines import NOISE, folder
from firstpacket.bench.gate.change import change
from firstpacket.bench.gate.checks import Noise
from firstpacket.bench.gate.fingerprint import conditions, key
from firstpacket.bench.gate.resolve_version import ITSELF
from firstpacket.bench.gate.verdict import LEAST_BAND
from firstpacket.bench.metrics.definitions import HEADLINE, metric
from firstpacket.bench.paths import replace_text
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.code_version import BASE

KEPT = 50
"""Findings kept for one set of conditions; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How far the same code differed from itself, as a share of the first-packet latency."""

    runs: tuple[str, ...]
    same_job: float | None = None
    """Between two labels of one run, turn by turn; None if no run had two."""
    between_runs: float | None = None
    """The same label in runs at different times, clip by clip: the largest; None for one run."""


def measured_noise(runs: Sequence[Run]) -> dict[str, Finding]:
    """The noise between runs of one version, by key of their conditions."""
    found: dict[str, Finding] = {}
    for wanted in dict.fromkeys(name for run in runs for name in _keys(run).values()):
        labels = [(run, label) for run in runs for label, name in _keys(run).items() if name == wanted]
        known = metric(HEADLINE)
        same_job, between = [], []
        for (a, first), (b, second) in combinations(labels, 2):
            if a is b:
                same_job.append(_apart(turn_by_turn(a, first, second, known)))
            elif first == second:
                between.append(_apart(clip_by_clip(a, b, first, known)))
        runs_of_it = tuple(dict.fromkeys(run.manifest.run for run, _ in labels))
        finding = Finding(runs_of_it, _widest(same_job), _widest(between))
        if finding.same_job is not None or finding.between_runs is not None:
            found[wanted] = finding
    return found


def save_noise(runs: Sequence[Run]) -> dict[str, Finding]:
    """`measured_noise`, and save the findings for later gates. Raises `RunError` if they cannot be written."""
    found = measured_noise(runs)
    for name, finding in found.items():
        known = [each for each in findings(name) if each.runs != finding.runs]
        file = _file(name)
        with explained(f"The noise cannot be saved in {file.parent}", "Free some space there."):
            replace_text(file, json.dumps([encode(each) for each in [*known, finding][-KEPT:]], indent=1) + "\n")
    return found


def findings(name: str) -> tuple[Finding, ...]:
    """All findings for a key. Raises `RunError` for a damaged file."""
    file = _file(name)
    if not file.exists():
        return ()
    try:
        return decode(tuple[Finding, ...], json.loads(file.read_bytes()), file.name)
    except (OSError, ValueError, RecursionError, DecodeError) as error:
        raise RunError(
            f"{file} cannot be read ({error}). Delete it, and measure again with: bench gate --aa."
        ) from error


def noise(name: str, between_runs: bool) -> Noise:
    """The noise band for a key, and where it comes from."""
    where = "between runs" if between_runs else "within one run"
    known = [each for each in findings(name) if _band(each, between_runs) is not None]
    if not known:
        said = (
            f"minimum noise band {100 * LEAST_BAND:g} %, since the noise {where} of the same code was not measured on "
            "this machine (bench gate --aa measures it)"
        )
        return Noise(LEAST_BAND, said, between_runs)
    widest = max(known, key=lambda each: _band(each, between_runs) or 0.0)
    band = _band(widest, between_runs) or 0.0
    said = f"noise {where} of the same code: {100 * band:.2g} % ({', '.join(widest.runs[:2])})"
    if band < LEAST_BAND:
        said += f"; the minimum band of {100 * LEAST_BAND:g} % applies"
    return Noise(max(LEAST_BAND, band), said, between_runs)


def _band(finding: Finding, between_runs: bool) -> float | None:
    return finding.between_runs if between_runs else finding.same_job


def _keys(run: Run) -> dict[str, str]:
    """The key of every label; the other version's label counts as the one it is paired with."""
    own = {plan.label: key(conditions(run, plan.label)) for plan in run.manifest.labels if not plan.source}
    twins = {
        plan.label: own[plan.label.removesuffix(BASE)] for plan in run.manifest.labels if plan.source == ITSELF.name
    }
    return own | twins


def _apart(pairs: Pairs) -> float | None:
    """The size of the shift, as a share; None with too few pairs."""
    ratio = change(pairs.before, pairs.after, pairs.clips).ratio
    return math.exp(abs(math.log(ratio.value))) - 1 if ratio else None


def _widest(shares: Sequence[float | None]) -> float | None:
    return max((share for share in shares if share is not None), default=None)


def _file(name: str) -> Path:
    return folder() / NOISE / f"{name}.json"
