"""Dummy models have the published sizes and names; their work is fixed after it was done."""

from __future__ import annotations

import pytest
import torch

from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.ctc import Collapse
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni, parameters
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.models.chat import TextTokenizer
from firstpacket.pipelines.models.dummy_text import learnt_tokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny() -> LlamaOmni:
    return dummy.build("tiny", 0, CPU, torch.float32).model


def fixed_work(model: LlamaOmni, seed: int = 0) -> dummy.FixedWork:
    work = dummy.FixedWork(model, TextTokenizer(learnt_tokenizer()), Sampling(seed=seed), max_new_tokens=256)
    work.begin()
    return work


def test_8b_has_the_published_sizes_and_names() -> None:
    """Parameter counts and tensors of the published checkpoint (specification, 1.2, 1.5, 2.1 and 2.3)."""
    model = LlamaOmni.without_weights(dummy.config("8b"), CPU, torch.float16)
    millions = {name: parameters(part) / 1e6 for name, (part, _) in model.parts().items()}
    assert millions["adaptor"] == pytest.approx(21.5, abs=0.05)
    assert millions["speech decoder"] == pytest.approx(425.65, abs=0.01)
    assert millions["llm"] == pytest.approx(8030.3, abs=0.1)
    tensors = {name: len(list(part.parameters())) for name, (part, _) in model.parts().items()}
    assert (tensors["llm"], tensors["speech encoder"], tensors["adaptor"], tensors["speech decoder"]) == (
        291,
        487,
        4,
        22,
    )
    convolutions = sum(isinstance(m, torch.nn.Conv1d | torch.nn.ConvTranspose1d) for m in model.vocoder.modules())
    of_duration_predictor = 2
    assert tensors["vocoder"] + convolutions - of_duration_predictor == 302
    assert model.vocoder.config.channels == (512, 256, 128, 64, 32, 16)
    assert model.llm.lm_head.weight.shape == (128_256, 4096)


def test_1b_has_the_sizes_of_llama_3_2() -> None:
    model = LlamaOmni.without_weights(dummy.config("1b"), CPU, torch.float16)
    assert parameters(model.llm) / 1e6 == pytest.approx(1235.8, abs=0.1)


def test_tiny_is_tiny(tiny: LlamaOmni) -> None:
    assert sum(parameters(part) for part, _ in tiny.parts().values()) < 10e6


def test_weights_follow_the_seed(tiny: LlamaOmni) -> None:
    same, other = (dummy.build("tiny", seed, CPU, torch.float32).model for seed in (0, 1))
    assert torch.equal(tiny.llm.lm_head.weight, same.llm.lm_head.weight)
    assert not torch.equal(tiny.llm.lm_head.weight, other.llm.lm_head.weight)


def test_two_tokens_always_have_ten_units_and_one_never_has(tiny: LlamaOmni) -> None:
    work, blank = fixed_work(tiny), tiny.config.speech_decoder.units
    collapse, counts = Collapse(blank), []
    for step in range(30):
        labels = work.labels(torch.zeros(25, blank + 1), step)
        assert labels.shape == (25,)
        counts.append(len(collapse.push(labels.tolist())))
    assert (min(counts), max(counts)) == (5, 9)


def test_units_last_1_7_frames_on_average(tiny: LlamaOmni) -> None:
    work = fixed_work(tiny)
    drawn = work.durations(torch.ones(200, dtype=torch.int64), 0)
    assert set(drawn.tolist()) == {1, 2, 3}
    assert float(drawn.double().mean()) == pytest.approx(1.7, abs=0.15)
    assert torch.equal(work.durations(torch.ones(20, dtype=torch.int64), 30), drawn[30:50])


def test_the_reply_ends_with_the_end_of_turn(tiny: LlamaOmni) -> None:
    work, ids = fixed_work(tiny), []
    while not ids or ids[-1] not in tiny.config.eos:
        ids.append(int(work.token(torch.zeros(1, tiny.config.llm.vocab), len(ids))))
    assert 20 <= len(ids) <= 81


def test_the_full_arithmetic_is_done_before_it_is_overridden(tiny: LlamaOmni, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(Choices, "token", lambda *_: done.append("token"))
    monkeypatch.setattr(Choices, "labels", lambda *_: done.append("labels"))
    work = fixed_work(tiny)
    work.token(torch.zeros(1, 4096), 0)
    work.labels(torch.zeros(25, 1001), 0)
    assert done == ["token", "labels"]
