"""A voice for piper that says a tone for every phoneme. Runs in the environment of piper, which has onnx.

`python piper_voice.py FOLDER NAME` writes NAME.onnx and NAME.onnx.json. Inputs and output are those of piper's own
voices: input (1, n) int64, input_lengths (1,) int64, scales (3,) float; output (1, 1, t) float.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAMPLE_RATE = 22050
SAMPLES = 768
"""For each id: 35 ms. Piper puts a blank between phonemes, so that each lasts twice as long."""
PERIODS = 15
LEVEL = 0.3
SIGNS = "_^$ !',-.:;?abdefghijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɡɪɹɾʃʊʌʒʔˈˌːθᵻ"
"""The phonemes of English as eSpeak writes them; `_^$` are blank, beginning and end."""


def tone() -> np.ndarray:
    """Whole periods of a sine, so that tiles join without a click."""
    return (LEVEL * np.sin(2 * np.pi * PERIODS * np.arange(SAMPLES) / SAMPLES)).astype(np.float32)


def model() -> onnx.ModelProto:
    """The tone, `input_lengths` times."""
    nodes = [
        helper.make_node("Tile", ["tone", "input_lengths"], ["tones"]),
        helper.make_node("Reshape", ["tones", "shape"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "ids"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "samples"])
    constants = {"tone": tone(), "shape": np.array([1, 1, -1])}
    known = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tone", inputs, [output], known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(folder: Path, name: str) -> None:
    config = {
        "audio": {"sample_rate": SAMPLE_RATE},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "espeak",
        "phoneme_id_map": {sign: [number] for number, sign in enumerate(SIGNS)},
        "num_symbols": len(SIGNS),
        "num_speakers": 1,
    }
    onnx.save(model(), folder / f"{name}.onnx")
    (folder / f"{name}.onnx.json").write_text(json.dumps(config), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
