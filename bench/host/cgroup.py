"""The control groups that this process lives in: whether a container may use less than the machine has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from firstpacket.bench.host.files import field, number, text


def cpu_groups(root: Path = Path("/")) -> tuple[Path, ...]:
    """Folders of the groups whose CPU quota binds this process, its own first; empty where there are none."""
    for line in (text(root / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split()[-1].split(",")):
            mounted_from, mounted_at = before.split()[3:5]
            groups = tuple(_upwards(root, kind, mounted_from, mounted_at))
            if groups:
                return groups
    return ()


def throttled(groups: tuple[Path, ...]) -> tuple[int | None, int | None]:
    """Throttled periods and throttled time (ns), over all groups; `None` if nothing counts them."""
    stats = [text(group / "cpu.stat") or "" for group in groups]
    periods = [n for stat in stats if (n := field(stat, "nr_throttled")) is not None]
    if not periods:
        return None, None
    held_up_us = sum(field(stat, "throttled_usec") or 0 for stat in stats)
    held_up_ns = sum(field(stat, "throttled_time") or 0 for stat in stats)  # version 1 counts in other units
    return sum(periods), held_up_us * 1000 + held_up_ns


def quota_cores(groups: tuple[Path, ...]) -> float | None:
    """The tightest CPU quota, in cores; `None` without a quota."""
    return min((cores for group in groups if (cores := _quota(group)) is not None), default=None)


def _quota(group: Path) -> float | None:
    quota, _, period = (text(group / "cpu.max") or "").partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(period):
        return int(quota) / int(period)
    quota_us, period_us = number(group / "cpu.cfs_quota_us"), number(group / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us and quota_us > 0 else None


def _upwards(root: Path, kind: str, mounted_from: str, mounted_at: str) -> Iterator[Path]:
    top = root / mounted_at.lstrip("/")
    inside = PurePosixPath("/" + _path_of(root, kind).lstrip("/"))
    try:
        below = inside.relative_to(mounted_from)
    except ValueError:
        below = PurePosixPath()
    if ".." in below.parts:  # the group lies outside what this container sees
        below = PurePosixPath()
    for part in (below, *below.parents):
        if (group := top / part) and (group / "cpu.stat").is_file():
            yield group


def _path_of(root: Path, kind: str) -> str:
    """This process's path in the hierarchy: `0::/a/b` (version 2), `3:cpu,cpuacct:/a/b` (version 1)."""
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        number_, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (kind == "cgroup2" and number_ == "0") or (kind == "cgroup" and "cpu" in controllers.split(",")):
            return path
    return "/"
