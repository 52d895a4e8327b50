"""What a gate measures next: how many pairs in how many starts, and when to look at them. Pure.

The first start shows what a start and a pair cost. From then on it is settled how many starts the budget allows at
most, and so at how many of them to look: `firstpacket.bench.stats.group_sequential` spends the error over these looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firstpacket.bench.gate.change import LEAST_STARTS, MOST_STARTS, Look
from firstpacket.bench.run.replicates import Cost
from firstpacket.bench.stats.group_sequential import looks
from firstpacket.bench.stats.replicates import turns_per_unit

FIRST_PAIRS = 20
"""Of the first start; enough to see roughly how noisy the turns are."""
PAIRS = range(5, 201)
"""Of the later ones."""
MOST_OF_TURNS = 4
"""The pairs of a start take at most so many times as long as starting: at 4, four fifths of all time is spent on pairs,
and more processes say more than more turns."""
USUAL_BETWEEN_SD = 0.01
"""Between pairs of processes, as long as it has not been measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a gate goes on. A new one is made whenever something was learnt."""

    budget_s: float
    costs: tuple[Cost, ...] = ()
    """Of the starts so far."""
    pairs: int = FIRST_PAIRS
    """In the next start."""
    most: int = MOST_STARTS
    """Starts there may be."""
    looked: tuple[int, ...] = ()
    """Numbers of starts at which it was looked."""

    @property
    def known(self) -> tuple[Cost, ...]:
        """The costs that were measured: not those of starts that were interrupted before any other had ended."""
        return tuple(cost for cost in self.costs if cost.starting_s > 0)

    @property
    def spent_s(self) -> float:
        """Time measured so far."""
        return sum(cost.starting_s + cost.pairs_s for cost in self.costs)

    @property
    def seconds(self) -> float:
        """Time for the pairs of the next start: after that, none is begun."""
        left_s = self.budget_s - self.spent_s
        if not self.known:
            return left_s / (2 * LEAST_STARTS)
        return min(max(0.0, left_s - self.starting_s), 3 * self.pairs * self.pair_s)

    @property
    def usual(self) -> Cost:
        """The mean of the starts so far, for one that was interrupted; zero as long as none is known."""
        starts = max(1, len(self.known))
        return Cost(
            sum(cost.starting_s for cost in self.known) / starts,
            sum(cost.pairs_s for cost in self.known) / starts,
            sum(cost.pairs for cost in self.known) // starts,
        )

    @property
    def goes_on(self) -> bool:
        """Whether there is time for another start."""
        if not self.known:
            return True
        return len(self.costs) < self.most and self.spent_s + self.start_s <= self.budget_s

    @property
    def start_s(self) -> float:
        """Time that the next start will take, as far as is known."""
        return self.starting_s + self.pairs * self.pair_s

    @property
    def look(self) -> Look | None:
        """The look that is due; None if it is not time to look."""
        count = len(self.costs)
        final = not self.goes_on
        if final or (count >= LEAST_STARTS and self.most >= LEAST_STARTS and count in looks(LEAST_STARTS, self.most)):
            return Look((*self.looked, count), self.most, final)
        return None

    @property
    def starting_s(self) -> float:
        """Time to start all systems and to end them, without any pair."""
        return sum(cost.starting_s for cost in self.known) / max(1, len(self.known))

    @property
    def pair_s(self) -> float:
        """Time of one pair; that of a start in which none was measured counts as one."""
        return sum(cost.pairs_s for cost in self.known) / max(1, sum(cost.pairs for cost in self.known))


def after_start(plan: Plan, cost: Cost) -> Plan:
    """The plan after one more start."""
    return replace(plan, costs=(*plan.costs, cost))


def after_look(plan: Plan, look: Look) -> Plan:
    """The plan after a look."""
    return replace(plan, looked=look.counts)


def settled(plan: Plan, within_sd: float, between_sd: float | None = None) -> Plan:
    """The plan with the best number of pairs for the next starts, given standard deviations of log ratios.

    After the first start whose cost is known it also settles how many there may be: at least `LEAST_STARTS`, if the
    budget allows.
    """
    if not plan.known:
        return plan
    between = (USUAL_BETWEEN_SD if between_sd is None else between_sd) ** 2
    most = min(PAIRS[-1], max(PAIRS[0], round(MOST_OF_TURNS * plan.starting_s / plan.pair_s)))
    pairs = turns_per_unit(plan.starting_s, plan.pair_s, between, within_sd**2, PAIRS[0], most)
    if len(plan.known) > 1:
        return replace(plan, pairs=pairs)
    left_s, made = plan.budget_s - plan.spent_s, len(plan.costs)
    affordable = (left_s / max(1, LEAST_STARTS - made) - plan.starting_s) / plan.pair_s
    pairs = max(PAIRS[0], min(pairs, int(affordable)))
    shortest_s = plan.starting_s + PAIRS[0] * plan.pair_s  # starts may come to have the fewest pairs
    starts = made + int(left_s / shortest_s)
    return replace(plan, pairs=pairs, most=max(made, min(starts, plan.most)))
