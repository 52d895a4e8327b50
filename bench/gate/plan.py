"""What a gate measures next: how many pairs in how many starts, and when to look at them. Pure.

The first start shows what a start and a pair cost. That determines how many starts the budget allows at most, and
so after how many of them to look: `firstpacket.bench.stats.group_sequential` spends the error over these looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firstpacket.bench.gate.change import LEAST_STARTS, MOST_STARTS, Look
from firstpacket.bench.run.replicates import Cost
from firstpacket.bench.stats import group_sequential
from firstpacket.bench.stats.replicates import turns_per_unit

FIRST_PAIRS = 20
"""Pairs in the first start; enough to see roughly how noisy the turns are."""
PAIRS = range(5, 201)
"""Pairs in each later start."""
PAIRS_TO_STARTING = 4
"""The pairs of a start take at most this many times as long as starting its processes: four fifths of the time is then
spent on pairs already, and more processes say more than more turns."""
USUAL_BETWEEN_SD = 0.01
"""Assumed between pairs of processes until it has been measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gate has spent, and how much it will measure. Replaced by a new one after every start and every look."""

    budget_s: float
    costs: tuple[Cost, ...] = ()
    """One for each start so far."""
    pairs: int = FIRST_PAIRS
    """In the next start."""
    most_starts: int = MOST_STARTS
    """The largest number of starts."""
    looks: tuple[int, ...] = ()
    """The numbers of starts after which the gate has looked so far."""
    limit_reached: bool = False
    """Whether a usage limit allows no further turns."""

    @property
    def known_costs(self) -> tuple[Cost, ...]:
        """The costs that were measured. Starts that were interrupted before any other had ended have none."""
        return tuple(cost for cost in self.costs if cost.starting_s > 0)

    @property
    def spent_s(self) -> float:
        """Time measured so far."""
        return sum(cost.starting_s + cost.pairs_s for cost in self.costs)

    @property
    def seconds(self) -> float:
        """Time for the pairs of the next start: no pair begins later than that."""
        left_s = self.budget_s - self.spent_s
        if not self.known_costs:
            return left_s / (2 * LEAST_STARTS)
        return min(max(0.0, left_s - self.starting_s), 3 * self.pairs * self.pair_s)

    @property
    def mean_cost(self) -> Cost:
        """The mean over the starts so far, assumed for one that was interrupted; zero as long as none is known."""
        starts = max(1, len(self.known_costs))
        return Cost(
            sum(cost.starting_s for cost in self.known_costs) / starts,
            sum(cost.pairs_s for cost in self.known_costs) / starts,
            sum(cost.pairs for cost in self.known_costs) // starts,
        )

    @property
    def has_time(self) -> bool:
        """Whether there is time for another start, and there may be one."""
        if self.limit_reached:
            return False
        if not self.known_costs:
            return True
        return len(self.costs) < self.most_starts and self.spent_s + self.next_start_s <= self.budget_s

    @property
    def next_start_s(self) -> float:
        """Time that the next start is expected to take."""
        return self.starting_s + self.pairs * self.pair_s

    @property
    def look(self) -> Look | None:
        """The look that is due; None if it is not time to look."""
        count = len(self.costs)
        final = not self.has_time
        if final or (count >= LEAST_STARTS and self.most_starts >= LEAST_STARTS and count in _looks(self.most_starts)):
            return Look((*self.looks, count), self.most_starts, final)
        return None

    @property
    def starting_s(self) -> float:
        """Time of a start without its pairs: to start all systems, warm them up and end them."""
        return sum(cost.starting_s for cost in self.known_costs) / max(1, len(self.known_costs))

    @property
    def pair_s(self) -> float:
        """Time of one pair; if none was completed, the time that was spent."""
        return sum(cost.pairs_s for cost in self.known_costs) / max(1, sum(cost.pairs for cost in self.known_costs))


def after_start(plan: Plan, cost: Cost, limit_reached: bool = False) -> Plan:
    """The plan after one more start, which a usage limit may have ended."""
    return replace(plan, costs=(*plan.costs, cost), limit_reached=limit_reached)


def after_look(plan: Plan, look: Look) -> Plan:
    """The plan after a look."""
    return replace(plan, looks=look.counts)


def adapted(plan: Plan, within_sd: float, between_sd: float | None = None) -> Plan:
    """The plan with the best number of pairs for the next starts, given standard deviations of log ratios.

    After the first start whose cost is known, this also determines the largest number of starts: at least
    `LEAST_STARTS`, if the budget allows.
    """
    if not plan.known_costs:
        return plan
    between = (USUAL_BETWEEN_SD if between_sd is None else between_sd) ** 2
    most = min(PAIRS[-1], max(PAIRS[0], round(PAIRS_TO_STARTING * plan.starting_s / plan.pair_s)))
    pairs = turns_per_unit(plan.starting_s, plan.pair_s, between, within_sd**2, PAIRS[0], most)
    if len(plan.known_costs) > 1:
        return replace(plan, pairs=pairs)
    left_s, made = plan.budget_s - plan.spent_s, len(plan.costs)
    affordable = (left_s / max(1, LEAST_STARTS - made) - plan.starting_s) / plan.pair_s
    pairs = max(PAIRS[0], min(pairs, int(affordable)))
    shortest_s = plan.starting_s + PAIRS[0] * plan.pair_s  # later starts may have as few pairs as that
    starts = made + int(left_s / shortest_s)
    return replace(plan, pairs=pairs, most_starts=max(made, min(starts, plan.most_starts)))


def _looks(most_starts: int) -> tuple[int, ...]:
    """The planned looks, by their numbers of starts."""
    return group_sequential.looks(LEAST_STARTS, most_starts)
