"""A made /proc and /sys, as small as the readers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


class FakeMachine:
    """A root folder whose files say what a test wants."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def cores(self, *ticks: Sequence[int]) -> None:
        """Per core: user, idle, iowait, stolen ticks."""
        lines = [f"{user} 0 0 {idle} {iowait} 0 0 {stolen} 0 0" for user, idle, iowait, stolen in ticks]
        whole = [sum(each) for each in zip(*ticks, strict=True)]
        first = f"cpu  {whole[0]} 0 0 {whole[1]} {whole[2]} 0 0 {whole[3]} 0 0\n"
        rest = "".join(f"cpu{core} {line}\n" for core, line in enumerate(lines))
        self.put({"proc/stat": first + rest + "intr 1 2 3\nctxt 7\n"})

    def process(
        self,
        pid: int,
        threads: Mapping[int, int],
        children: Sequence[int] = (),
        ticks: int = 0,
        ended: int = 0,
        faults: int = 0,
    ) -> None:
        """A process whose `threads` waited so many ns for a core; `ticks` of CPU, `ended` of children that are gone."""
        fields = ["S", "1", *["0"] * 7, str(faults), "0", str(ticks), "0", str(ended), *["0"] * 20]
        self.put({f"proc/{pid}/stat": f"{pid} (a (bad) name) {' '.join(fields)}\n"})
        for position, (thread, waited_ns) in enumerate(threads.items()):
            folder = f"proc/{pid}/task/{thread}"
            below = " ".join(map(str, children)) if position == 0 else ""
            self.put({f"{folder}/schedstat": f"123 {waited_ns} 9\n", f"{folder}/children": below})
