"""Loads a checkpoint and prints what it took: `python loading_memory.py FOLDER DTYPE`, run in a process of its own."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import torch

from firstpacket.pipelines.direct.llama_omni import files
from firstpacket.pipelines.direct.llama_omni.checkpoint import Checkpoint


def resident() -> dict[str, int]:
    """Bytes of this process: its own (`RssAnon`), and with mapped files (`VmRSS`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) << 10 for name in ("RssAnon", "VmRSS")}


class Peak(threading.Thread):
    """Samples as often as it can until stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = resident()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.0005):
            now = resident()
            self.highest = {name: max(now[name], highest) for name, highest in self.highest.items()}


def main() -> None:
    torch.set_num_threads(1)
    folder, dtype = sys.argv[1], getattr(torch, sys.argv[2])
    checkpoint = Checkpoint(files.find(folder))
    before, peak, began = resident(), Peak(), time.perf_counter()
    peak.start()
    loaded = checkpoint.load(torch.device("cpu"), dtype)
    seconds = time.perf_counter() - began
    peak.over.set()
    peak.join()
    tensors = [tensor for part, _ in loaded.model.parts().values() for tensor in part.parameters()]
    taken = {
        "weights": sum(tensor.nbytes for tensor in tensors),
        "anonymous": peak.highest["RssAnon"] - before["RssAnon"],
        "resident": peak.highest["VmRSS"] - before["VmRSS"],
        "seconds": seconds,
        "compiler": "torch._dynamo" in sys.modules,
    }
    sys.stdout.write(json.dumps(taken))


if __name__ == "__main__":
    main()
