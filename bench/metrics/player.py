"""A player that starts one pre-roll after the first packet and then plays gaplessly as long as it has audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket.bench.timing.spans import PacketStamp


@dataclass(frozen=True, slots=True)
class Playback:
    """How a reply would have been heard.

    `smallest_pre_roll_ns` is the shortest wait after the first packet that gives no stall at all; it equals the total
    of all stalls of a player without pre-roll. `stalls_ns` are the waits of the player after its pre-roll, in order.
    """

    media_ns: int
    ends_ns: int
    smallest_pre_roll_ns: int
    stalls_ns: tuple[int, ...]


def media_ns(packet: PacketStamp) -> int:
    """Length of a packet's audio."""
    return packet.samples * 1_000_000_000 // packet.sample_rate


def play(packets: Sequence[PacketStamp], pre_roll_ns: int = 0) -> Playback | None:
    """Play packets in arrival order, starting `pre_roll_ns` after the first; `None` without packets."""
    if not packets:
        return None
    first_ns = packets[0].at_ns
    played_until_ns = first_ns + pre_roll_ns
    needed_ns = total_media_ns = 0
    stalls = []
    for packet in packets:
        needed_ns = max(needed_ns, packet.at_ns - first_ns - total_media_ns)
        if packet.at_ns > played_until_ns:
            stalls.append(packet.at_ns - played_until_ns)
            played_until_ns = packet.at_ns
        played_until_ns += media_ns(packet)
        total_media_ns += media_ns(packet)
    return Playback(total_media_ns, played_until_ns, needed_ns, tuple(stalls))
