"""A turn along time: as the user heard it, from the first word to the end of playback; and stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from firstpacket.bench.analysis.turn_trace import OneTurn, playback
from firstpacket.bench.format import amount, counted
from firstpacket.bench.metrics.critical_path import stretches_by_stage
from firstpacket.bench.metrics.during_speech import TOTAL, work
from firstpacket.bench.metrics.player import media_ns
from firstpacket.bench.metrics.server import E2E
from firstpacket.bench.metrics.t0 import all_starts
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.report.turns.marks import Stretch, area, at, blocks, ticks
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.timing.spans import ServerFigure

LANE = 26
"""Height of a lane."""
AFTER = 1.2
"""The stages are shown up to this multiple of the first packet: what follows is not part of the latency."""
BEFORE = 0.3
"""At most this share of it is shown before t0, for pipelines that work while the user speaks."""
NO_LATENCY_MS = 1.0
"""The shortest scale, for a turn without any extent."""

STARTS = {"last_frame": "last frame of speech delivered", "endpoint": "end of speech decided", "request": "request"}


@dataclass(frozen=True, slots=True)
class Stroke:
    """Path data of one style, given by its CSS classes."""

    looks: str
    d: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A named row of a picture; `said` is its tooltip."""

    name: str
    said: str
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A vertical line through all lanes."""

    looks: str
    said: str
    x: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Lanes on one scale, in units of which 1000 are the width, with rules through them; ticks in ms after t0."""

    scale: Scale
    lanes: tuple[Lane, ...]
    rules: tuple[Rule, ...]

    @property
    def height(self) -> int:
        """Height of all lanes."""
        return LANE * len(self.lanes)


def stage_scale(turns: Iterable[OneTurn]) -> Scale:
    """From the first work (not too long before t0) to a little after the latest first packet of the turns."""
    given = list(turns)
    latest = max((_until_ms(one) for one in given), default=0.0)
    latest = max(latest, NO_LATENCY_MS)
    begins = min((_ms(one, one.begins_ns) for one in given), default=0.0)
    return Scale(max(min(0.0, begins), -BEFORE * latest), AFTER * latest)


def stage_picture(one: OneTurn, scale: Scale) -> Picture:
    """Where the turn's time went: its critical path, every stage on host and GPU, packets, what a server shows."""
    roles = {stage.id: stage.role for stage in one.plan.stages}
    stages = dict.fromkeys([*roles, *(span.stage for span in one.trace.spans)])
    lanes = [_path_lane(one, scale, roles, 0)]
    for stage in stages:
        lane = _stage_lane(one, scale, stage, roles.get(stage, "none"), LANE * len(lanes))
        if any(stroke.d for stroke in lane.strokes):
            lanes.append(lane)
    lanes.append(_packet_lane(one, scale, LANE * len(lanes)))
    if one.trace.messages:
        lanes.append(_message_lane(one, scale, LANE * len(lanes)))
    if one.trace.server_figures:
        lanes.append(_server_lane(one.trace.server_figures, scale, LANE * len(lanes)))
    return Picture(scale, tuple(lanes), _rules(one, scale))


def heard_scale(one: OneTurn, speech_ms: float) -> Scale:
    """From the beginning of the user's speech to the end of playback, or to the last event."""
    end_ms = max((_ms(one, end) for _, _, end in playback(one.evidence)), default=_ms(one, one.ends_ns))
    return Scale(_speech_end_ms(one) - speech_ms, max(end_ms, _speech_end_ms(one) + NO_LATENCY_MS))


def heard_picture(one: OneTurn, speech_ms: float) -> Picture:
    """What a listener hears: the question, the gap, the reply with its stalls; and the player's buffer.

    For a system that works while the user speaks, also when its stages work.
    """
    scale = heard_scale(one, speech_ms)
    end_ms = _speech_end_ms(one)
    speech = Stroke("speech", blocks(scale, [(end_ms - speech_ms, end_ms)], 5, 16))
    lanes = [Lane("user", f"the user speaks for {amount(speech_ms, 'ms')}", (speech,))]
    if one.turn.figures.get(TOTAL):
        lanes.append(_work_lane(one, scale, LANE))
    for lane in (_player_lane, _buffer_lane, _packet_lane):
        lanes.append(lane(one, scale, LANE * len(lanes)))
    return Picture(scale, tuple(lanes), _rules(one, scale))


def _path_lane(one: OneTurn, scale: Scale, roles: Mapping[str, str], top: int) -> Lane:
    by_looks: dict[str, list[Stretch]] = {}
    for part in one.path:
        looks = f"path kind-{part.kind} role-{roles.get(part.stage, '') or 'none'}"
        by_looks.setdefault(looks, []).append((_ms(one, part.start_ns), _ms(one, part.end_ns)))
    strokes = tuple(Stroke(looks, blocks(scale, found, top + 4, 18)) for looks, found in by_looks.items())
    return Lane("critical path", "which stage was being waited for", strokes)


def _stage_lane(one: OneTurn, scale: Scale, stage: str, role: str, top: int) -> Lane:
    spans = [span for span in one.trace.spans if span.stage == stage]
    host = [(_ms(one, span.start_ns), _ms(one, span.end_ns)) for span in spans]
    gpu = [(_ms(one, span.gpu.start_ns), _ms(one, span.gpu.end_ns)) for span in spans if span.gpu is not None]
    hand_offs = [_ms(one, item.at_ns) for item in one.trace.hand_offs if item.stage == stage]
    said = f"{stage}: {_total(host)} on the host" + (f", {_total(gpu)} on the GPU" if gpu else "")
    strokes = (
        Stroke(f"host role-{role}", blocks(scale, host, top + 4, 9)),
        Stroke(f"gpu role-{role}", blocks(scale, gpu, top + 14, 9)),
        Stroke("hand", ticks(scale, hand_offs, top, 4)),
    )
    return Lane(stage, said, tuple(stroke for stroke in strokes if stroke.d))


def _work_lane(one: OneTurn, scale: Scale, top: int) -> Lane:
    """All stages in one row, in the colours of their roles."""
    by_role: dict[str, list[Stretch]] = {}
    for stage, stretches in stretches_by_stage(work(one.evidence)).items():
        role = next((each.role for each in one.plan.stages if each.id == stage), "none")
        by_role.setdefault(role, []).extend((_ms(one, start_ns), _ms(one, end_ns)) for start_ns, end_ns in stretches)
    strokes = tuple(Stroke(f"host role-{role}", blocks(scale, found, top + 5, 16)) for role, found in by_role.items())
    early_ms = one.turn.figures[TOTAL] / NS_PER_MS
    return Lane("work", f"stages at work; {amount(early_ms, 'ms')} of it before the end of speech", strokes)


def _packet_lane(one: OneTurn, scale: Scale, top: int) -> Lane:
    moments = [_ms(one, packet.at_ns) for packet in one.trace.packets]
    count = f"{len(moments)} {'packet' if len(moments) == 1 else 'packets'} arrived"
    return Lane("packets", count, (Stroke("packet", ticks(scale, moments, top + 6, 14)),))


def _message_lane(one: OneTurn, scale: Scale, top: int) -> Lane:
    """Sent ones above, received ones below."""
    sent, received = (
        [_ms(one, message.at_ns) for message in one.trace.messages if message.sent == ours] for ours in (True, False)
    )
    strokes = (
        Stroke("message", ticks(scale, sent, top + 3, 9)), Stroke("message", ticks(scale, received, top + 14, 9)),
    )  # fmt: skip
    said = f"{counted(len(sent), 'message')} sent (above), {len(received)} received (below)"
    return Lane("messages", said, tuple(stroke for stroke in strokes if stroke.d))


def _server_lane(figures: Sequence[ServerFigure], scale: Scale, top: int) -> Lane:
    """The server's own figures, drawn end to end from t0, and below them its figure for the whole turn."""
    parts: list[list[Stretch]] = [[], []]
    reached_ms = 0.0
    for place, each in enumerate(each for each in figures if each.name != E2E):
        parts[place % 2].append((reached_ms, reached_ms := reached_ms + each.ns / NS_PER_MS))
    whole = [(0.0, each.ns / NS_PER_MS) for each in figures if each.name == E2E]
    strokes = (
        Stroke("says", blocks(scale, parts[0], top + 4, 12)),
        Stroke("says other", blocks(scale, parts[1], top + 4, 12)),
        Stroke("says whole", blocks(scale, whole, top + 18, 5)),
    )
    named = ", ".join(f"{each.name} {amount(each.ns / NS_PER_MS, 'ms')}" for each in figures)
    said = (
        f"reported by the server: {named}. It states durations without start times; they are drawn end to end from t0"
    )
    return Lane("server reports", said, tuple(stroke for stroke in strokes if stroke.d))


def _player_lane(one: OneTurn, scale: Scale, top: int) -> Lane:
    found: dict[str, list[Stretch]] = {"playing": [], "stalled": [], "pre-roll": []}
    for kind, start_ns, end_ns in playback(one.evidence):
        found[kind].append((_ms(one, start_ns), _ms(one, end_ns)))
    strokes = tuple(Stroke(kind, blocks(scale, found[kind], top + 5, 16)) for kind in found if found[kind])
    stalled = f", stalled for {_total(found['stalled'])}" if found["stalled"] else ""
    return Lane("player", f"played {_total(found['playing'])}{stalled}", strokes)


def _buffer_lane(one: OneTurn, scale: Scale, top: int) -> Lane:
    levels = buffer_levels(one)
    most = max((level for _, level in levels), default=0.0)
    said = f"audio received but not yet played: at most {amount(most, 'ms')}"
    return Lane("buffer", said, (Stroke("buffer", area(scale, levels, top + 3, 20)),))


def buffer_levels(one: OneTurn) -> list[tuple[float, float]]:
    """Audio received but not yet played: (ms after t0, ms of audio) at every corner of that line."""
    packets, levels = one.trace.packets, list[tuple[int, int]]()
    if not packets:
        return []
    begins_ns = reached_ns = packets[0].at_ns + one.evidence.pre_roll_ns
    for packet in packets:
        if packet.at_ns > begins_ns and (not levels or levels[-1][0] < begins_ns):
            levels.append((begins_ns, reached_ns - begins_ns))
        if packet.at_ns > reached_ns:
            levels.append((reached_ns, 0))
            reached_ns = packet.at_ns
        ready_ns = reached_ns - max(packet.at_ns, begins_ns)
        levels += [(packet.at_ns, ready_ns), (packet.at_ns, ready_ns + media_ns(packet))]
        reached_ns += media_ns(packet)
    if levels[-1][0] < begins_ns:
        levels.append((begins_ns, reached_ns - begins_ns))
    return [(_ms(one, at_ns), ns / NS_PER_MS) for at_ns, ns in (*levels, (reached_ns, 0))]


def _rules(one: OneTurn, scale: Scale) -> tuple[Rule, ...]:
    declared = one.evidence.options.t0
    rules = [Rule("t0", "t0", at(scale, 0))]
    for name, at_ns in all_starts(one.evidence).items():
        if name in STARTS and name != declared and at_ns != one.t0_ns and _inside(scale, _ms(one, at_ns)):
            rules.append(Rule("start", f"{STARTS[name]}: {amount(_ms(one, at_ns), 'ms')}", at(scale, _ms(one, at_ns))))
    if one.trace.packets:
        first_ms = _ms(one, one.trace.packets[0].at_ns)
        rules.append(Rule("first", f"first packet: {amount(first_ms, 'ms')}", at(scale, first_ms)))
    return tuple(rules)


def _until_ms(one: OneTurn) -> float:
    packets = one.trace.packets
    return _ms(one, packets[0].at_ns) if packets else _ms(one, one.ends_ns)


def _speech_end_ms(one: OneTurn) -> float:
    return _ms(one, one.evidence.delivery.t0_ns)


def _total(stretches: Iterable[Stretch]) -> str:
    return amount(sum(end - start for start, end in stretches), "ms")


def _inside(scale: Scale, ms: float) -> bool:
    return scale.start_ms <= ms <= scale.end_ms


def _ms(one: OneTurn, at_ns: int) -> float:
    return (at_ns - one.t0_ns) / NS_PER_MS
