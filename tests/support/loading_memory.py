"""Loads a checkpoint and prints what it took: `loading_memory.py FOLDER DTYPE...`, each in a process of its own."""

from __future__ import annotations

import json
import os
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


def main(folder: str, dtypes: list[str]) -> None:
    """A process forks for each dtype: none sees what another left, and torch is imported once."""
    torch.set_num_threads(1)
    for dtype in dtypes:
        if (child := os.fork()) == 0:
            sys.stdout.write(json.dumps({"dtype": dtype, **taken(folder, getattr(torch, dtype))}) + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"Loading in {dtype} failed.")


def taken(folder: str, dtype: torch.dtype) -> dict[str, object]:
    checkpoint = Checkpoint(files.find(folder))
    before, peak, began = resident(), Peak(), time.perf_counter()
    peak.start()
    loaded = checkpoint.load(torch.device("cpu"), dtype)
    seconds = time.perf_counter() - began
    peak.over.set()
    peak.join()
    tensors = [tensor for part, _ in loaded.model.parts().values() for tensor in part.parameters()]
    return {
        "weights": sum(tensor.nbytes for tensor in tensors),
        "anonymous": peak.highest["RssAnon"] - before["RssAnon"],
        "resident": peak.highest["VmRSS"] - before["VmRSS"],
        "seconds": seconds,
        "compiler": "torch._dynamo" in sys.modules,
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
