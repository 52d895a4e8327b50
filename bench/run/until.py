"""When a run is to end: looks at planned numbers of whole blocks, and at the time that was spent."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.until import GoOn, Look, Stop, decide
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.record.until import Until, amount
from firstpacket.bench.run.plan import PlannedTurn
from firstpacket.bench.stats.looks import looks

NS_PER_MINUTE = 60_000_000_000


@dataclass(slots=True)
class Goal:
    """Collects measured turns, and says before each further one whether it is still wanted.

    What is on record decides alone, so that a resumed run looks where an undisturbed one does. `spent_ns` is what
    earlier starts took.
    """

    rule: Until
    labels: Sequence[str]
    clips: int
    spent_ns: int = 0
    _turns: list[Turn] = field(default_factory=list)
    _began_ns: int = 0
    _latest_ns: int = 0
    _looked: int = 0

    def begin(self, earlier: Iterable[Turn], now_ns: int) -> None:
        """The labels have loaded; `earlier` turns are on record."""
        self._turns = [turn for turn in earlier if turn.phase == "measured"]
        self._began_ns = self._latest_ns = now_ns

    def ended(self, turn: Turn, t0_ns: int) -> None:
        """A turn is on disk."""
        if turn.phase == "measured":
            self._turns.append(turn)
            self._latest_ns = t0_ns

    def before(self, ask: PlannedTurn) -> Stop | GoOn | None:
        """At the first turn of a block where a look is due: what it says. None elsewhere, and the second time."""
        if ask.block not in looks(self.rule.blocks) or ask.block <= self._looked or not self._begins_block(ask):
            return None
        self._looked = ask.block
        return decide(self._turns, self.labels, self.rule, ask.block)

    def out_of_time(self, ask: PlannedTurn) -> bool:
        """Whether the time is used up before the first turn of a clip; once begun, a clip is put to every label."""
        begins_clip = (ask.turn - 1) % len(self.labels) == 0
        spent_ns = self.spent_ns + self._latest_ns - self._began_ns
        return begins_clip and spent_ns >= self.rule.minutes * NS_PER_MINUTE

    def _begins_block(self, ask: PlannedTurn) -> bool:
        return (ask.turn - 1) % (len(self.labels) * self.clips) == 0


def spent_ns(run: Run) -> int:
    """Time from the labels' loading to the last clip's t0, over all starts; one whose trace is damaged counts not."""
    spent = 0
    latest = {turn.segment: turn for turn in run.turns if turn.phase == "measured"}
    for segment in run.segments:
        if (last := latest.get(segment.segment)) is not None:
            with contextlib.suppress(RunError):
                spent += run.evidence(last).delivery.t0_ns - segment.monotonic_ns
    return spent


def whole_passes(turns: Iterable[Turn], size: int) -> int:
    """How many blocks of `size` turns were asked to their end, without a gap."""
    asked = {turn.turn for turn in turns if turn.phase == "measured"}
    return (next(number for number in itertools.count(1) if number not in asked) - 1) // size


def in_words(decision: Stop | GoOn, rule: Until) -> str:
    """A look in one line, for whoever watches."""
    look = decision.look
    line = f"after {passes(look.blocks)}: {reached(look, rule)}, {rule} wanted"
    if isinstance(decision, Stop):
        return f"{line}: narrow enough"
    if decision.stalled:
        line += "; more passes over the same clips hardly narrow it: more clips are needed"
    return f"{line}; next look after {decision.next} passes" if decision.next else line


def reached(look: Look, rule: Until) -> str:
    """How wide the widest interval is: `±3.1 % (direct against cascade)`."""
    widest = look.widest
    who = f"{widest.label} against {widest.against}" if widest.against else widest.label
    if widest.width is None:
        return f"no interval ({who}: {widest.why_none})"
    return f"{amount(widest.width, rule.unit)} ({who})"


def passes(blocks: int) -> str:
    """A number of passes over the corpus, in words."""
    return "1 pass" if blocks == 1 else f"{blocks} passes"
