"""How far a gate is, saved in its folder, so that it can continue after an interruption."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import RunError, explained
from firstpacket.bench.gate.change import LEAST_STARTS, MOST_STARTS
from firstpacket.bench.gate.limits import MINUTES, Limit, Limits
from firstpacket.bench.gate.plan import PAIRS, Plan
from firstpacket.bench.gate.references import AUTO
from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.paths import replace_text

FILE = "state.json"
RESULT = "gate.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Reference:
    """What the candidate is compared with: `against`, if given, otherwise `baseline`."""

    against: str = ""
    """A git revision, or the Python command of an environment with another version."""
    folders: tuple[str, ...] = ()
    """Folders with the packages of that revision, if not the repository's root or `src`."""
    baseline: str = AUTO
    """A run folder, the name of a saved baseline, or `auto`."""
    itself: bool = False
    """Whether this version is compared with itself, to see what the machine can tell."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is needed to continue, besides the run."""

    schema: int
    reference: Reference
    limits: Limits
    baseline: str
    """What the candidate was compared with: it must be the same."""
    candidate: str
    """The state of its code, which must be the same; empty if it is in no repository."""
    plan: Plan
    ended: bool = False


def save(state: State, folder: Path) -> None:
    """Write it. Raises `RunError`."""
    with explained(f"Cannot write {folder / FILE}", "Free some space there."):
        replace_text(folder / FILE, json.dumps(encode(state), indent=1) + "\n")


def read(folder: Path) -> State:
    """The state of a gate that was interrupted. Raises `RunError` if it cannot be continued."""
    file = folder / FILE
    try:
        state = decode(State, json.loads(file.read_bytes()), FILE)
    except FileNotFoundError as error:
        raise RunError(f"{folder} is not the folder of a gate: it has no {FILE}.") from error
    except (OSError, ValueError, RecursionError, DecodeError) as error:
        raise RunError(f"{file} cannot be read ({error}). Start a new gate.") from error
    if state.schema != SCHEMA:
        raise RunError(f"{file} has schema {state.schema}, this version reads {SCHEMA}. Start a new gate.")
    if not (_plan_is_possible(state) and all(map(_limit_is_possible, state.limits.limits))):
        raise RunError(f"{file} is damaged: no gate has such values. Start a new gate.")
    if state.ended and (folder / RESULT).exists():
        raise RunError(f"The gate in {folder} has ended: its verdict is in {folder / RESULT}. Start a new gate.")
    return state


def _plan_is_possible(state: State) -> bool:
    """Whether a gate with these limits can have come to this plan."""
    plan, limits = state.plan, state.limits
    looks, starts = plan.looks, len(plan.costs)
    grows = list(looks) == sorted(set(looks)) and all(1 <= count <= starts for count in looks)
    return (
        MINUTES[0] <= limits.max_minutes <= MINUTES[1]
        and plan.budget_s == 60 * limits.max_minutes
        and limits.resolution >= 0
        and all(min(cost.starting_s, cost.pairs_s, cost.pairs) >= 0 for cost in plan.costs)
        and (not plan.known_costs or plan.pair_s > 0)
        and 1 <= plan.pairs <= PAIRS[-1]
        and 1 <= plan.most_starts <= MOST_STARTS
        and grows
        and (len(looks) < 2 or looks[0] >= LEAST_STARTS)
    )


def _limit_is_possible(limit: Limit) -> bool:
    try:
        metric(limit.metric)
    except KeyError:
        return False
    allowed = min(limit.max_regression, limit.floor_ms, limit.ceiling_ms or 0.0) >= 0
    return allowed and (limit.ceiling_ms is None) == (limit.statistic == "typical")
