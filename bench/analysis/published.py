"""Published figures that sweeps are compared with, each with its definition and hardware.

Milliseconds are totals: language model and speech decoder until a chunk is full, and the vocoder or synthesis of that
chunk. They are whole-run times at a resolution of a second, divided by the 199 questions: differences below 10 ms are
not meaningful.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DEFINITION = (
    "from a whole recording passed in at once to the first chunk of speech; mean of 199 questions, greedy, batch 1"
)
HARDWARE = "one NVIDIA L40"
LLAMA_OMNI = "Fang et al., LLaMA-Omni, ICLR 2025 (arXiv 2409.06666), Table {table}"


@dataclass(frozen=True, slots=True)
class Published:
    """One published row: at `value` of the option, the mean latency in ms, with the published quality."""

    system: str
    option: str
    value: float
    """Infinite for offline: no speech before all of it is generated."""
    ms: float
    wer: float
    """Of the speech against its text by whisper-large-v3, share of words."""
    utmos: float
    source: str


def _rows(system: str, option: str, table: int, *rows: tuple[float, float, float, float]) -> tuple[Published, ...]:
    source = LLAMA_OMNI.format(table=table)
    return tuple(Published(system, option, value, ms, wer / 100, utmos, source) for value, ms, wer, utmos in rows)


UNITS = _rows(
    "LLaMA-Omni 8B", "chunk-units", 4,
    (10, 236.18, 9.84, 3.2304), (20, 281.41, 9.91, 3.4748), (40, 346.73, 10.37, 3.6688), (60, 412.06, 10.47, 3.7549),
    (80, 487.44, 10.70, 3.7858), (100, 562.81, 10.71, 3.8242), (math.inf, 1753.77, 10.82, 3.9296),
)  # fmt: skip
WORDS = (
    *_rows(
        "SALMONN + Orca", "first-phrase", 6,
        (1, 232.16, 6.64, 3.0947), (3, 351.67, 8.65, 3.7338), (5, 460.87, 9.23, 3.7750), (7, 582.37, 8.49, 3.7972),
        (9, 728.95, 7.07, 3.8060),
    ),
    *_rows(
        "Qwen2-Audio + Orca", "first-phrase", 7,
        (1, 308.61, 25.25, 2.8597), (3, 419.85, 13.30, 3.5529), (5, 509.19, 13.00, 3.5865), (7, 621.17, 10.59, 3.5739),
        (9, 756.57, 9.81, 3.6016),
    ),
)  # fmt: skip
"""Words after which the first phrase is spoken."""
PUBLISHED = (*UNITS, *WORDS)
